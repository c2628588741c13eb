extension Statistics: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case connections, incomingPackets, outgoingPackets, incomingBytes, outgoingBytes
        case connectionRate, incomingPacketRate, outgoingPacketRate, incomingByteRate, outgoingByteRate
    }

    /// Reads an object with a field for each property; a missing field is 0.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        self.init()
        connections = try fields(.connections, default: 0)
        incomingPackets = try fields(.incomingPackets, default: 0)
        outgoingPackets = try fields(.outgoingPackets, default: 0)
        incomingBytes = try fields(.incomingBytes, default: 0)
        outgoingBytes = try fields(.outgoingBytes, default: 0)
        connectionRate = try fields(.connectionRate, default: 0)
        incomingPacketRate = try fields(.incomingPacketRate, default: 0)
        outgoingPacketRate = try fields(.outgoingPacketRate, default: 0)
        incomingByteRate = try fields(.incomingByteRate, default: 0)
        outgoingByteRate = try fields(.outgoingByteRate, default: 0)
    }

    /// Writes the fields that are not nil.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(connections, forKey: .connections)
        try container.encode(incomingPackets, forKey: .incomingPackets)
        try container.encode(outgoingPackets, forKey: .outgoingPackets)
        try container.encode(incomingBytes, forKey: .incomingBytes)
        try container.encode(outgoingBytes, forKey: .outgoingBytes)
        try container.encode(connectionRate, forKey: .connectionRate)
        try container.encode(incomingPacketRate, forKey: .incomingPacketRate)
        try container.encode(outgoingPacketRate, forKey: .outgoingPacketRate)
        try container.encode(incomingByteRate, forKey: .incomingByteRate)
        try container.encode(outgoingByteRate, forKey: .outgoingByteRate)
    }
}
