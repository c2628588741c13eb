import IPVSKit

/// A set or map that a rule names, identified as its tool knows it.
struct NamedSet: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// A set of nftables. The family is `ip`, `ip6`, `inet`, `netdev` or `bridge`.
        case nft(family: String, table: String)
        case ipset
    }

    var kind: Kind
    var name: String
}

/// A rule's lookup in a set.
struct SetQuestion: Hashable, Sendable {
    /// A field of the packet that is part of the key.
    enum Field: Hashable, Sendable {
        case transport
        case sourcePort, destinationPort
        case source, destination
        /// Any other field, whose value is not known.
        case other
    }

    /// One part of a key, with its value.
    enum Part: Hashable, Sendable {
        case transport(TransportProtocol)
        case port(UInt16)
        case address(IPAddress)
    }

    var set: NamedSet
    var fields: [Field]

    init(set: NamedSet, fields: [Field]) {
        self.set = set
        self.fields = fields
    }

    /// The keys that a packet may have; nil if a part of them is not known.
    func keys(of packet: Packet) -> [[Part]]? {
        var keys: [[Part]] = [[]]
        for field in fields {
            let parts: [Part]? =
                switch field {
                case .transport: [.transport(packet.transport)]
                case .sourcePort: packet.sourcePort.map { [.port($0)] }
                case .destinationPort: packet.destinationPort.map { [.port($0)] }
                case .source: Self.singles(packet.sources)
                case .destination: Self.singles(packet.destinations)
                case .other: nil
                }
            guard let parts, !parts.isEmpty else { return nil }
            keys = keys.flatMap { key in parts.map { key + [$0] } }
        }
        // With very many addresses, asking for each would amount to reading the whole set.
        return keys.count <= 256 ? keys : nil
    }

    /// The addresses of the ranges; nil if a range has more than one.
    private static func singles(_ ranges: Set<ClosedRange<IPAddress>>?) -> [Part]? {
        guard let ranges else { return nil }
        let addresses = ranges.compactMap(\.single)
        return addresses.count == ranges.count ? addresses.sorted().map(Part.address) : nil
    }

    /// The kernel's answers for the keys that a packet may have. Nil if a key is not known, or the kernel does not
    /// answer.
    func answers(for packet: Packet) -> Set<SetAnswers.Answer>? {
        guard let keys = keys(of: packet) else { return nil }
        var answers: Set<SetAnswers.Answer> = []
        for key in keys {
            guard let answer = packet.sets.elements[set]?[key] else { return nil }
            answers.insert(answer)
        }
        return answers
    }

    /// - Returns: nil if the type of the set is not known.
    init?(ipset name: String, _ directions: [String], for packet: Packet) {
        guard let type = packet.sets.types[name], let colon = type.firstIndex(of: ":") else { return nil }
        let parts = type[type.index(after: colon)...].split(separator: ",")
        // `bitmap:port` ignores the protocol.
        let withTransport = !type.hasPrefix("bitmap:")
        var fields: [Field] = []
        for (index, part) in parts.enumerated() {
            let direction = index < directions.count ? directions[index] : ""
            switch (part, direction) {
            case ("ip", "dst"), ("net", "dst"): fields.append(.destination)
            case ("ip", "src"), ("net", "src"): fields.append(.source)
            case ("port", "dst"): fields += (withTransport ? [.transport] : []) + [.destinationPort]
            case ("port", "src"): fields += (withTransport ? [.transport] : []) + [.sourcePort]
            default: fields.append(.other)
            }
        }
        self.init(set: NamedSet(kind: .ipset, name: name), fields: fields)
    }

    func truth(of packet: Packet) -> Truth {
        guard let answers = answers(for: packet) else { return .maybe }
        if !answers.contains(.absent) { return .yes }
        return answers.count == 1 ? .no : .maybe
    }
}
