extension UnknownAttribute: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case type, bytes
    }

    /// Reads `{"type": 16, "bytes": [1, 0]}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(type: try fields(.type), bytes: try fields(.bytes))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(type, forKey: .type)
        try container.encode(bytes, forKey: .bytes)
    }
}

extension VirtualServiceSummary: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case service, statistics, unknownAttributes
    }

    /// Reads an object with a field for each property; all but the service may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(service: try fields(.service), statistics: try fields(.statistics, default: Statistics()))
        unknownAttributes = try fields(.unknownAttributes, default: [])
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(service, forKey: .service)
        try container.encode(statistics, forKey: .statistics)
        try container.encode(unknownAttributes, forKey: .unknownAttributes)
    }
}

extension VirtualServiceStatus: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case service, statistics, destinations, unknownAttributes
    }

    /// Reads an object with a field for each property; all but the service may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(
            service: try fields(.service), statistics: try fields(.statistics, default: Statistics()),
            destinations: try fields(.destinations, default: []))
        unknownAttributes = try fields(.unknownAttributes, default: [])
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(service, forKey: .service)
        try container.encode(statistics, forKey: .statistics)
        try container.encode(destinations, forKey: .destinations)
        try container.encode(unknownAttributes, forKey: .unknownAttributes)
    }
}

extension DestinationStatus: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case destination, statistics, activeConnections, inactiveConnections, persistentConnections, unknownAttributes
    }

    /// Reads an object with a field for each property; all but the destination may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(destination: try fields(.destination), statistics: try fields(.statistics, default: Statistics()))
        activeConnections = try fields(.activeConnections, default: 0)
        inactiveConnections = try fields(.inactiveConnections, default: 0)
        persistentConnections = try fields(.persistentConnections, default: 0)
        unknownAttributes = try fields(.unknownAttributes, default: [])
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(destination, forKey: .destination)
        try container.encode(statistics, forKey: .statistics)
        try container.encode(activeConnections, forKey: .activeConnections)
        try container.encode(inactiveConnections, forKey: .inactiveConnections)
        try container.encode(persistentConnections, forKey: .persistentConnections)
        try container.encode(unknownAttributes, forKey: .unknownAttributes)
    }
}

extension Info: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case version, connectionTableSize
    }

    /// Reads `{"version": "1.2.1", "connectionTableSize": 4096}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(version: try fields(.version), connectionTableSize: try fields(.connectionTableSize))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(connectionTableSize, forKey: .connectionTableSize)
    }
}

extension Features: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case tunnelTypes, wideCounters, mixedFamilies, ipv6, conntrack, estimatorThreads
    }

    /// Reads an object with a field for each property.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(
            tunnelTypes: try fields(.tunnelTypes), wideCounters: try fields(.wideCounters),
            mixedFamilies: try fields(.mixedFamilies), ipv6: try fields(.ipv6), conntrack: try fields(.conntrack),
            estimatorThreads: try fields(.estimatorThreads))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tunnelTypes, forKey: .tunnelTypes)
        try container.encode(wideCounters, forKey: .wideCounters)
        try container.encode(mixedFamilies, forKey: .mixedFamilies)
        try container.encode(ipv6, forKey: .ipv6)
        try container.encode(conntrack, forKey: .conntrack)
        try container.encode(estimatorThreads, forKey: .estimatorThreads)
    }
}
