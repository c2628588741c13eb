extension MeshSpec: Codable {
    private enum CodingKeys: String, CodingKey { case schema, generation, services }

    /// Reads a document of layout ``currentSchema``.
    ///
    /// - Throws: `DecodingError`, also for a document of another layout.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try container.require(schema: Self.currentSchema, forKey: .schema)
        generation = try container.decode(UInt64.self, forKey: .generation)
        services = try container.decode([String: Service].self, forKey: .services)
    }

    /// Writes the layout beside the content.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.currentSchema, forKey: .schema)
        try container.encode(generation, forKey: .generation)
        try container.encode(services, forKey: .services)
    }
}
