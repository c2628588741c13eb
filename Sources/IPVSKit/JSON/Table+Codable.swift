extension VirtualService.Persistence: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case timeoutSeconds, netmask
    }

    /// Reads `{"timeoutSeconds": 300, "netmask": "24"}`; either may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init()
        timeoutSeconds = try fields(.timeoutSeconds, default: timeoutSeconds)
        netmask = try fields.optional(.netmask)
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(timeoutSeconds, forKey: .timeoutSeconds)
        try container.encodeIfPresent(netmask, forKey: .netmask)
    }
}

extension VirtualService: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case id, scheduler, flags, persistence, persistenceEngine
    }

    /// Reads `{"id": "TCP 192.168.5.1:80", "scheduler": "wrr", "flags": []}`, with `persistence` and `persistenceEngine`
    /// where there are any. All but the id may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let defaults = VirtualService(id: try fields(.id))
        // The initialiser is called, because a property observer does not run inside an initialiser.
        self.init(
            id: defaults.id, scheduler: try fields(.scheduler, default: defaults.scheduler),
            flags: try fields(.flags, default: defaults.flags), persistence: try fields.optional(.persistence),
            persistenceEngine: try fields.optional(.persistenceEngine))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(flags, forKey: .flags)
        try container.encodeIfPresent(persistence, forKey: .persistence)
        try container.encodeIfPresent(persistenceEngine, forKey: .persistenceEngine)
    }
}

extension Destination.Tunnel: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case type, port, flags
    }

    /// Reads `{"type": "gue", "port": 6080, "flags": ["checksum"]}`; each may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init()
        type = try fields(.type, default: type)
        port = try fields(.port, default: port)
        flags = try fields(.flags, default: flags)
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(type, forKey: .type)
        try container.encode(port, forKey: .port)
        try container.encode(flags, forKey: .flags)
    }
}

extension Destination: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case id, weight, forwarding, upperThreshold, lowerThreshold, tunnel
    }

    /// Reads `{"id": "10.0.0.11:8080", "weight": 1, "forwarding": "Masq", "upperThreshold": 0, "lowerThreshold": 0}`,
    /// with `tunnel` where it is one. All but the id may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let id: ID = try fields(.id)
        self.init(id.address, port: id.port)
        weight = try fields(.weight, default: weight)
        forwarding = try fields(.forwarding, default: forwarding)
        upperThreshold = try fields(.upperThreshold, default: upperThreshold)
        lowerThreshold = try fields(.lowerThreshold, default: lowerThreshold)
        if forwarding != .tunnel, fields.container.contains(.tunnel) {
            throw fields.error(.tunnel, "a destination of method \(forwarding) has no tunnel")
        }
        tunnel = try fields(.tunnel, default: tunnel)
    }

    /// Writes all fields; `tunnel` if the method is a tunnel.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(weight, forKey: .weight)
        try container.encode(forwarding, forKey: .forwarding)
        try container.encode(upperThreshold, forKey: .upperThreshold)
        try container.encode(lowerThreshold, forKey: .lowerThreshold)
        if forwarding == .tunnel { try container.encode(tunnel, forKey: .tunnel) }
    }
}

extension Table.Entry: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case service, destinations
    }

    /// Reads `{"service": {…}, "destinations": [{…}]}`; `destinations` may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let destinations: [Destination] = try fields(.destinations, default: [])
        self.init(try fields(.service), destinations: destinations)
        guard self.destinations.count == destinations.count else {
            throw fields.error(.destinations, "a destination appears twice")
        }
    }

    /// Writes the service, and the destinations in the order of their ids.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(service, forKey: .service)
        try container.encode(destinations.values.sorted { $0.id < $1.id }, forKey: .destinations)
    }
}

extension Table: Codable {
    /// Reads a list of entries.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let entries = try container.decode([Entry].self)
        self.init(entries)
        guard self.entries.count == entries.count else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a service appears twice")
        }
    }

    /// Writes the entries in the order of their ids.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(entries.values.sorted { $0.service.id < $1.service.id })
    }
}
