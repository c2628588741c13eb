extension Timeouts: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case tcpSeconds, tcpFinSeconds, udpSeconds
    }

    /// Reads `{"tcpSeconds": 900, "tcpFinSeconds": 120, "udpSeconds": 300}`; each may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(
            tcpSeconds: try fields.optional(.tcpSeconds), tcpFinSeconds: try fields.optional(.tcpFinSeconds),
            udpSeconds: try fields.optional(.udpSeconds))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(tcpSeconds, forKey: .tcpSeconds)
        try container.encodeIfPresent(tcpFinSeconds, forKey: .tcpFinSeconds)
        try container.encodeIfPresent(udpSeconds, forKey: .udpSeconds)
    }
}

extension SyncDaemon: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case role, interface, syncID, maximumLength, group, port, timeToLive
    }

    /// Reads an object with a field for each property; all but the role and the interface may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(
            role: try fields(.role), interface: try fields(.interface), syncID: try fields(.syncID, default: 0),
            maximumLength: try fields.optional(.maximumLength), group: try fields.optional(.group),
            port: try fields.optional(.port), timeToLive: try fields.optional(.timeToLive))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(role, forKey: .role)
        try container.encode(interface, forKey: .interface)
        try container.encode(syncID, forKey: .syncID)
        try container.encodeIfPresent(maximumLength, forKey: .maximumLength)
        try container.encodeIfPresent(group, forKey: .group)
        try container.encodeIfPresent(port, forKey: .port)
        try container.encodeIfPresent(timeToLive, forKey: .timeToLive)
    }
}

extension SyncThreshold: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case packets, period
    }

    /// Reads `{"packets": 3, "period": 50}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(packets: try fields(.packets), period: try fields(.period))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(packets, forKey: .packets)
        try container.encode(period, forKey: .period)
    }
}

extension Setting: Codable {
    /// Reads the name of the file below `/proc/sys/net/ipv4/vs`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard Self.isName(name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(name.debugDescription) is no name of a setting")
        }
        self.init(name)
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

extension Connection.PersistenceKey: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case engine, data
    }

    /// Reads `{"engine": "sip", "data": "…"}`.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(engine: try fields(.engine), data: try fields(.data))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(engine, forKey: .engine)
        try container.encode(data, forKey: .data)
    }
}

extension Connection: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case `protocol`, client, virtual, destination, state, expiresInSeconds, persistenceKey
    }

    /// Reads an object with a field for each property; `persistenceKey` may be missing.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init(
            protocol: try fields(.protocol), client: try fields(.client), virtual: try fields(.virtual),
            destination: try fields(.destination), state: try fields(.state),
            expiresInSeconds: try fields(.expiresInSeconds), persistenceKey: try fields.optional(.persistenceKey))
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(`protocol`, forKey: .protocol)
        try container.encode(client, forKey: .client)
        try container.encode(virtual, forKey: .virtual)
        try container.encode(destination, forKey: .destination)
        try container.encode(state, forKey: .state)
        try container.encode(expiresInSeconds, forKey: .expiresInSeconds)
        try container.encodeIfPresent(persistenceKey, forKey: .persistenceKey)
    }
}
