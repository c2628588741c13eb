import IPVSKit

/// An ipset set in which the rules look up ports and addresses.
///
/// Names have at most 15 bytes, so that Swift stores them inside the elements: shared storage would have to be
/// reference-counted for each element of a large set.
struct IPSet: Hashable {
    /// The purpose of a set. Cases are in the reverse of the order in which a packet meets the sets, but for the ports
    /// elsewhere: like the marks, they open a port, and come after the sets that say to whom.
    enum Use: CaseIterable {
        /// The tasks, with the ports on which they serve.
        case answers
        /// The tasks whose replies FORWARD accepts.
        case tasks
        /// The networks whose members reach each other with the node's address as their source.
        case hairpins
        /// The tasks that see the node's address instead of the client's, with the mark that leads to them.
        case sourceNAT
        /// The networks whose members reach the sandbox with the node's address as their source.
        case insiders
        /// The networks that may connect to a port, and to a port of one address.
        case allowed, allowedAt
        /// The ports that only some networks may connect to.
        case restrictedTCP, restrictedUDP, restrictedSCTP, restrictedAt
        /// The ports, and ports of one address, whose IPVS services are in the sandbox. They have no mark here.
        case elsewhereAt, elsewhereTCP, elsewhereUDP, elsewhereSCTP
        /// The marks of ports, and of ports of one address.
        case markedAt, markedTCP, markedUDP, markedSCTP
        /// The marks of addresses.
        case virtualAddresses
    }

    /// The parts of a key; each raw value is a set type of the kernel.
    enum Layout: String {
        case port = "bitmap:port"
        case address = "hash:ip"
        case addressMark = "hash:ip,mark"
        case network = "hash:net"
        case networkPair = "hash:net,net"
        case networkPort = "hash:net,port"
        case addressPort = "hash:ip,port"
        case addressPortNetwork = "hash:ip,port,net"
    }

    let use: Use
    /// Nil for sets of ports only, which have no family.
    let family: AddressFamily?

    init(_ use: Use, _ family: AddressFamily) {
        self.use = use
        self.family = use.layout == .port ? nil : family
    }

    /// All sets. The set that a packet meets last comes first.
    static func all(_ families: [AddressFamily]) -> [IPSet] {
        Use.allCases.flatMap { use in
            use.layout == .port ? [IPSet(use, .ipv4)] : families.map { IPSet(use, $0) }
        }
    }

    var name: String {
        switch family {
        case nil: OwnRules.setPrefix + use.stem
        case .ipv4: OwnRules.setPrefix + use.stem + "4"
        case .ipv6: OwnRules.setPrefix + use.stem + "6"
        }
    }

    /// The directions (`dst,dst`) by which an iptables match or target names the part of the packet for each part of
    /// the key. iptables accepts fewer directions than the key has parts, but then nothing matches.
    var directions: String {
        switch use.layout {
        case .port, .address, .network: "dst"
        case .addressMark, .networkPair, .networkPort, .addressPort: "dst,dst"
        case .addressPortNetwork: "dst,dst,dst"
        }
    }
}

extension IPSet.Use {
    /// The set of restricted ports of a protocol; nil for protocols that are not balanced.
    static func restricted(_ transport: TransportProtocol) -> Self? {
        switch transport {
        case .tcp: .restrictedTCP
        case .udp: .restrictedUDP
        case .sctp: .restrictedSCTP
        default: nil
        }
    }

    /// The set of marks of a protocol's ports; nil for protocols that are not balanced.
    static func marked(_ transport: TransportProtocol) -> Self? {
        switch transport {
        case .tcp: .markedTCP
        case .udp: .markedUDP
        case .sctp: .markedSCTP
        default: nil
        }
    }

    /// The set of a protocol's ports whose services are in the sandbox; nil for protocols that are not balanced.
    static func elsewhere(_ transport: TransportProtocol) -> Self? {
        switch transport {
        case .tcp: .elsewhereTCP
        case .udp: .elsewhereUDP
        case .sctp: .elsewhereSCTP
        default: nil
        }
    }

    var stem: String {
        switch self {
        case .answers: "answer"
        case .tasks: "task"
        case .hairpins: "hairpin"
        case .sourceNAT: "snat"
        case .insiders: "inside"
        case .allowed: "allow"
        case .allowedAt: "allow-at"
        case .restrictedTCP: "only-tcp"
        case .restrictedUDP: "only-udp"
        case .restrictedSCTP: "only-sctp"
        case .restrictedAt: "only-at"
        case .elsewhereTCP: "in-tcp"
        case .elsewhereUDP: "in-udp"
        case .elsewhereSCTP: "in-sctp"
        case .elsewhereAt: "in-at"
        case .markedTCP: "mark-tcp"
        case .markedUDP: "mark-udp"
        case .markedSCTP: "mark-sctp"
        case .markedAt: "mark-at"
        case .virtualAddresses: "vip"
        }
    }

    var layout: IPSet.Layout {
        switch self {
        case .tasks, .virtualAddresses: .address
        case .hairpins: .networkPair
        case .sourceNAT: .addressMark
        case .insiders: .network
        case .allowed: .networkPort
        case .allowedAt: .addressPortNetwork
        case .restrictedTCP, .restrictedUDP, .elsewhereTCP, .elsewhereUDP, .markedTCP, .markedUDP: .port
        // The kernel's bitmap:port supports only TCP and UDP, and no SCTP packet ever matches it. For SCTP, the port is
        // combined with the network of all addresses.
        case .restrictedSCTP, .elsewhereSCTP, .markedSCTP: .networkPort
        case .answers, .restrictedAt, .elsewhereAt, .markedAt: .addressPort
        }
    }

    var hasMarks: Bool {
        switch self {
        case .markedTCP, .markedUDP, .markedSCTP, .markedAt, .virtualAddresses: true
        default: false
        }
    }
}

extension IPSet {
    /// Enough for all ports of hundreds of tasks, where each port is an element.
    private static let mostElements = 1 << 24

    /// Type and options, for `create`.
    var definition: String {
        let options =
            family.map { "family \($0 == .ipv4 ? "inet" : "inet6") maxelem \(Self.mostElements)" } ?? "range 0-65535"
        return "\(use.layout.rawValue) \(options)" + (use.hasMarks ? " skbinfo" : "")
    }

    /// Whether an existing set works like ours. Its size does not matter; every other option does.
    ///
    /// - Parameter found: the type and options as `ipset save` prints them.
    func works(as found: String) -> Bool {
        var words = found.split(separator: " ")[...]
        guard words.popFirst() ?? "" == use.layout.rawValue else { return false }
        var options: [Substring: Substring] = [:]
        while let name = words.popFirst() {
            options[name] = name == "skbinfo" ? "" : words.popFirst() ?? ""
        }
        for name: Substring in ["hashsize", "maxelem", "bucketsize", "initval"] { options[name] = nil }
        var wanted: [Substring: Substring] = [:]
        if use.hasMarks { wanted["skbinfo"] = "" }
        if use.layout == .addressMark { wanted["markmask"] = "0xffffffff" }
        switch family {
        case nil: wanted["range"] = "0-65535"
        case .ipv4: wanted["family"] = "inet"
        case .ipv6: wanted["family"] = "inet6"
        }
        return options == wanted
    }
}
