import IPVSKit

extension Ledger: Codable {
    private enum CodingKeys: String, CodingKey { case schema, generation, id, node, home, places, unhealthy, starts }

    /// Reads a document of layout ``currentSchema``.
    ///
    /// - Throws: `DecodingError`, also for a document of another layout.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try container.require(schema: Self.currentSchema...Self.currentSchema, forKey: .schema)
        generation = try container.decodeGeneration(forKey: .generation)
        id = try container.decode(String.self, forKey: .id)
        guard id.utf8.count == 16, id.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw DecodingError.dataCorruptedError(
                forKey: .id, in: container,
                debugDescription: "\(id.debugDescription) is not 16 hexadecimal digits in lower case")
        }
        node = try container.decode(String.self, forKey: .node)
        home = try container.decodeIfPresent(NamespaceIdentity.self, forKey: .home)
        places = try container.decode([PlaceID: Holdings].self, forKey: .places).filter { !$0.value.isEmpty }
        unhealthy = try container.decodeIfPresent([String: Set<IPAddress>].self, forKey: .unhealthy) ?? [:]
        starts = try container.decodeIfPresent([String: StartRecord].self, forKey: .starts) ?? [:]
    }

    /// Writes the layout beside the content.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.currentSchema, forKey: .schema)
        try container.encode(generation, forKey: .generation)
        try container.encode(id, forKey: .id)
        try container.encode(node, forKey: .node)
        try container.encodeIfPresent(home, forKey: .home)
        try container.encode(places, forKey: .places)
        if !unhealthy.isEmpty { try container.encode(unhealthy.mapValues { $0.sorted() }, forKey: .unhealthy) }
        if !starts.isEmpty { try container.encode(starts, forKey: .starts) }
    }
}
