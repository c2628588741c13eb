import IPVSKit

/// A set that the rules look ports and addresses up in.
///
/// Names have at most 15 bytes, so that the elements of a large set share no storage that would have to be counted.
struct IPSet: Hashable {
    /// What is in it. In the order in which a packet meets them, the last first.
    enum Use: CaseIterable {
        /// Tasks and ports that they serve at.
        case answers
        /// Tasks, whose replies are let through FORWARD.
        case tasks
        /// Networks whose members reach each other, masqueraded.
        case hairpins
        /// Tasks, by the mark that leads to them, that see the node's address.
        case sourceNAT
        /// Who may connect to a port, and to a port of one address.
        case allowed, allowedAt
        /// Ports that not everybody may connect to.
        case restrictedTCP, restrictedUDP, restrictedSCTP, restrictedAt
        /// The marks of ports, and of ports of one address.
        case markedAt, markedTCP, markedUDP, markedSCTP
        /// The marks of addresses.
        case virtualAddresses
    }

    /// What makes up a key; each is a set type of the kernel's.
    enum Layout: String {
        case port = "bitmap:port"
        case address = "hash:ip"
        case addressMark = "hash:ip,mark"
        case networkPair = "hash:net,net"
        case networkPort = "hash:net,port"
        case addressPort = "hash:ip,port"
        case addressPortNetwork = "hash:ip,port,net"
    }

    let use: Use
    /// Nil for ports alone, which have no family.
    let family: AddressFamily?

    init(_ use: Use, _ family: AddressFamily) {
        self.use = use
        self.family = use.layout == .port ? nil : family
    }

    /// All of them, the one that a packet meets last first.
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

    /// Where the directions of an iptables match or target say what each part of the key is. One that has fewer than
    /// the key has parts is taken, and matches nothing.
    var destination: String {
        switch use.layout {
        case .port, .address: "dst"
        case .addressMark, .networkPair, .networkPort, .addressPort: "dst,dst"
        case .addressPortNetwork: "dst,dst,dst"
        }
    }
}

extension IPSet.Use {
    /// What is in it for the ports of a protocol; nil for protocols that are not balanced.
    static func restricted(_ transport: TransportProtocol) -> Self? {
        switch transport {
        case .tcp: .restrictedTCP
        case .udp: .restrictedUDP
        case .sctp: .restrictedSCTP
        default: nil
        }
    }

    /// The same for marks.
    static func marked(_ transport: TransportProtocol) -> Self? {
        switch transport {
        case .tcp: .markedTCP
        case .udp: .markedUDP
        case .sctp: .markedSCTP
        default: nil
        }
    }

    var stem: String {
        switch self {
        case .answers: "answer"
        case .tasks: "task"
        case .hairpins: "hairpin"
        case .sourceNAT: "snat"
        case .allowed: "allow"
        case .allowedAt: "allow-at"
        case .restrictedTCP: "only-tcp"
        case .restrictedUDP: "only-udp"
        case .restrictedSCTP: "only-sctp"
        case .restrictedAt: "only-at"
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
        case .allowed: .networkPort
        case .allowedAt: .addressPortNetwork
        case .restrictedTCP, .restrictedUDP, .markedTCP, .markedUDP: .port
        // The kernel's bitmap:port knows TCP and UDP only: a packet of SCTP is in none. So its ports stand beside all
        // addresses.
        case .restrictedSCTP, .markedSCTP: .networkPort
        case .answers, .restrictedAt, .markedAt: .addressPort
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
    /// Room for all ports of hundreds of tasks, each of which is an element.
    private static let mostElements = 1 << 24

    /// Type and options, for `create`.
    var definition: String {
        let options =
            family.map { "family \($0 == .ipv4 ? "inet" : "inet6") maxelem \(Self.mostElements)" } ?? "range 0-65535"
        return "\(use.layout.rawValue) \(options)" + (use.hasMarks ? " skbinfo" : "")
    }

    /// Whether a set that is there works like ours. How large it is does not matter; any other option does.
    ///
    /// - Parameter found: type and options as `ipset save` prints them.
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
