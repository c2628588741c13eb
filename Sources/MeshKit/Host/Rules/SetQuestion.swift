import IPVSKit

/// A set or map that a rule names, as the tool that made it knows it.
struct NamedSet: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// `ip`, `ip6`, `inet`, `netdev`, `bridge`, and the name of the table.
        case nft(family: String, table: String)
        case ipset
    }

    var kind: Kind
    var name: String
}

/// What a rule looks up in a set.
struct SetQuestion: Hashable, Sendable {
    /// What a key is made of.
    enum Field: Hashable, Sendable {
        case transport
        case sourcePort, destinationPort
        case source, destination
        /// Anything else, which no packet tells.
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

    /// The keys that a packet may have; nil where a part of them is not known.
    private func keys(of packet: Packet) -> [[Part]]? {
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
        // A node with very many addresses: to ask for each would be to read the set.
        return keys.count <= 256 ? keys : nil
    }

    /// Nil where some of the ranges have more than one address.
    private static func singles(_ ranges: Set<ClosedRange<IPAddress>>?) -> [Part]? {
        guard let ranges else { return nil }
        let addresses = ranges.compactMap(\.single)
        return addresses.count == ranges.count ? addresses.sorted().map(Part.address) : nil
    }

    /// What the kernel says of each key that a packet may have. Nil where it cannot be asked, or does not say.
    func answers(for packet: Packet) -> Set<SetAnswers.Answer>? {
        guard let keys = keys(of: packet) else { return nil }
        var answers: Set<SetAnswers.Answer> = []
        for key in keys {
            guard let answer = packet.sets.look(set, key) else { return nil }
            answers.insert(answer)
        }
        return answers
    }

    /// - Returns: nil where the type of the set is not known.
    init?(ipset name: String, _ directions: [String], for packet: Packet) {
        guard let type = packet.sets.type(name), let colon = type.firstIndex(of: ":") else { return nil }
        let parts = type[type.index(after: colon)...].split(separator: ",")
        // `bitmap:port` does not ask for the protocol.
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

/// What the kernel answers when it is asked for one element of a set: of a large one, the rest is none of our business.
struct SetAnswers: Sendable {
    enum Answer: Hashable, Sendable {
        case absent
        /// With what it stands for, in a map of verdicts.
        case present(HostRule.Action?)
    }

    /// Nil where the kernel does not say.
    let look: @Sendable (NamedSet, [SetQuestion.Part]) -> Answer?
    /// The type of a set of ipset's, as `hash:ip,port`.
    let type: @Sendable (String) -> String?

    /// Nobody to ask.
    static let none = SetAnswers(look: { _, _ in nil }, type: { _ in nil })
}
