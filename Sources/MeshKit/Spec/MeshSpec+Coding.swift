import IPVSKit

extension MeshSpec: Codable {
    private enum CodingKeys: String, CodingKey {
        case schema, generation, meshGeneration, meshEdits, services, nodes, networks
    }

    /// Reads a document of a layout in ``readableSchemas``.
    ///
    /// - Throws: `DecodingError`, also for a document of another layout.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try container.require(schema: Self.readableSchemas, forKey: .schema)
        generation = try container.decodeGeneration(forKey: .generation)
        meshGeneration =
            container.contains(.meshGeneration) ? try container.decodeGeneration(forKey: .meshGeneration) : 0
        edits = try container.decodeIfPresent(EditVector.self, forKey: .meshEdits) ?? EditVector()
        services = try container.decode([String: Service].self, forKey: .services)
        nodes = try container.decodeIfPresent([String: MeshNode].self, forKey: .nodes) ?? [:]
        networks = try container.decodeIfPresent([String: MeshNetwork].self, forKey: .networks) ?? [:]
    }

    /// Writes the layout beside the content.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.currentSchema, forKey: .schema)
        try container.encode(generation, forKey: .generation)
        if meshGeneration != 0 { try container.encode(meshGeneration, forKey: .meshGeneration) }
        if !edits.isEmpty { try container.encode(edits, forKey: .meshEdits) }
        try container.encode(services, forKey: .services)
        if !nodes.isEmpty { try container.encode(nodes, forKey: .nodes) }
        if !networks.isEmpty { try container.encode(networks, forKey: .networks) }
    }
}

extension MeshSpec.Service: Codable {
    private enum CodingKeys: String, CodingKey {
        case scheduler, ports, tasks, balancing, virtualAddresses, health, slowStartSeconds, source
    }

    /// Reads an object. A missing field has the value from the time before the field existed.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        scheduler = try container.decode(Scheduler.self, forKey: .scheduler)
        ports = try container.decode([PublishedPort].self, forKey: .ports)
        tasks = try container.decode([SpecTask].self, forKey: .tasks)
        chosenBalancing = try container.decodeIfPresent(Balancing.self, forKey: .balancing)
        virtualAddresses =
            try container.decodeIfPresent([String: VirtualAddress].self, forKey: .virtualAddresses) ?? [:]
        healthCheck = try container.decodeIfPresent(HealthCheck.self, forKey: .health)
        slowStartSeconds = try container.decodeIfPresent(UInt32.self, forKey: .slowStartSeconds)
        origin = try container.decodeIfPresent(Origin.self, forKey: .source)
    }

    /// Leaves out the fields that have their default values.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(ports, forKey: .ports)
        try container.encode(tasks, forKey: .tasks)
        try container.encodeIfPresent(chosenBalancing, forKey: .balancing)
        if !virtualAddresses.isEmpty { try container.encode(virtualAddresses, forKey: .virtualAddresses) }
        try container.encodeIfPresent(healthCheck, forKey: .health)
        try container.encodeIfPresent(slowStartSeconds, forKey: .slowStartSeconds)
        try container.encodeIfPresent(origin, forKey: .source)
    }
}
