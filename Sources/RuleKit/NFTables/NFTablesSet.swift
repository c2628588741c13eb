import IPVSKit

/// The sets and maps of our table, in the reverse of the order in which a packet meets them.
enum NFTablesSet: String, CaseIterable {
    case answers4, answers6
    case answerRangesTCP4 = "answer_ranges_tcp4"
    case answerRangesTCP6 = "answer_ranges_tcp6"
    case answerRangesSCTP4 = "answer_ranges_sctp4"
    case answerRangesSCTP6 = "answer_ranges_sctp6"
    case hairpin4, hairpin6
    case masquerade4, masquerade6
    case published
    case insiders4, insiders6
    case elsewhere
    case targets4, targets6
    case allowed4, allowed6
    case restricted
    case counters
    case vips4, vips6
    case rangesTCP = "ranges_tcp"
    case rangesUDP = "ranges_udp"
    case rangesSCTP = "ranges_sctp"
    case marks
    case marksAt4 = "marks_at4"
    case marksAt6 = "marks_at6"

    /// A part of a key, in the order of ``key``.
    enum KeyPart: Equatable {
        case mark, transport, port
        case address(AddressFamily)
        case prefix(AddressFamily)
    }

    enum ValueType {
        case mark, port, counter
    }

    var key: [KeyPart] {
        switch self {
        case .hairpin4: [.prefix(.ipv4), .prefix(.ipv4)]
        case .hairpin6: [.prefix(.ipv6), .prefix(.ipv6)]
        case .masquerade4: [.mark, .address(.ipv4)]
        case .masquerade6: [.mark, .address(.ipv6)]
        case .insiders4: [.prefix(.ipv4)]
        case .insiders6: [.prefix(.ipv6)]
        case .published, .elsewhere, .restricted, .counters: [.mark]
        case .targets4, .targets6: [.mark, .port]
        case .allowed4: [.mark, .prefix(.ipv4)]
        case .allowed6: [.mark, .prefix(.ipv6)]
        case .vips4: [.address(.ipv4)]
        case .vips6: [.address(.ipv6)]
        case .rangesTCP, .rangesUDP, .rangesSCTP: [.port]
        case .marks: [.transport, .port]
        case .answerRangesTCP4, .answerRangesSCTP4: [.address(.ipv4), .port]
        case .answerRangesTCP6, .answerRangesSCTP6: [.address(.ipv6), .port]
        case .marksAt4, .answers4: [.address(.ipv4), .transport, .port]
        case .marksAt6, .answers6: [.address(.ipv6), .transport, .port]
        }
    }

    var value: ValueType? {
        switch self {
        case .answers4, .answers6, .answerRangesTCP4, .answerRangesTCP6, .answerRangesSCTP4, .answerRangesSCTP6,
            .hairpin4, .hairpin6, .masquerade4, .masquerade6, .published, .insiders4, .insiders6, .elsewhere, .allowed4,
            .allowed6, .restricted:
            nil
        case .counters: .counter
        case .targets4, .targets6: .port
        case .vips4, .vips6, .rangesTCP, .rangesUDP, .rangesSCTP, .marks, .marksAt4, .marksAt6: .mark
        }
    }

    /// Whether keys are intervals. Linux 6.12 does not support a protocol as a part of an interval key (EOPNOTSUPP), so
    /// that each protocol has a set of its own. Linux 6.12 also refuses a map whose interval keys have several parts
    /// (EOPNOTSUPP), so that ranges of ports at one address are stored port by port.
    var isInterval: Bool {
        switch self {
        case .answerRangesTCP4, .answerRangesTCP6, .answerRangesSCTP4, .answerRangesSCTP6, .hairpin4, .hairpin6,
            .insiders4, .insiders6, .allowed4, .allowed6, .rangesTCP, .rangesUDP, .rangesSCTP:
            true
        default: false
        }
    }

    /// The sets that hold each port of a range as an element of its own.
    static let withSinglePorts: [NFTablesSet] = [.marksAt4, .marksAt6]

    /// The sets whose intervals are networks. Networks in one set must not overlap, or the kernel answers EEXIST.
    static let disjoint: [NFTablesSet] = [.hairpin4, .hairpin6, .insiders4, .insiders6, .allowed4, .allowed6]

    /// The sets that a packet meets only after IPVS has forwarded it.
    static let behindIPVS: [NFTablesSet] = [
        .answers4, .answers6, .answerRangesTCP4, .answerRangesTCP6, .answerRangesSCTP4, .answerRangesSCTP6, .hairpin4,
        .hairpin6, .masquerade4, .masquerade6, .published,
    ]

    static func ranges(_ transport: TransportProtocol) -> NFTablesSet? {
        switch transport {
        case .tcp: .rangesTCP
        case .udp: .rangesUDP
        case .sctp: .rangesSCTP
        default: nil
        }
    }

    /// The set for ranges of ports of tasks; nil for protocols without one.
    static func answerRanges(_ transport: TransportProtocol, _ family: AddressFamily) -> NFTablesSet? {
        switch transport {
        case .tcp: of(family, .answerRangesTCP4, .answerRangesTCP6)
        case .sctp: of(family, .answerRangesSCTP4, .answerRangesSCTP6)
        default: nil
        }
    }

    static func of(_ family: AddressFamily, _ ipv4: NFTablesSet, _ ipv6: NFTablesSet) -> NFTablesSet {
        family == .ipv4 ? ipv4 : ipv6
    }

    /// The declaration of the set as `nft` lists it.
    var declaration: [String] {
        let values: [ValueType: String] = [.mark: " : mark", .port: " : inet_service", .counter: " : counter"]
        let type = "\t\ttype " + key.map(\.typeName).joined(separator: " . ") + (value.flatMap { values[$0] } ?? "")
        return ["\t\(value == nil ? "set" : "map") \(rawValue) {", type]
            + (isInterval ? ["\t\tflags interval"] : []) + ["\t}"]
    }
}

extension NFTablesSet.KeyPart {
    fileprivate var typeName: String {
        switch self {
        case .mark: "mark"
        case .transport: "inet_proto"
        case .port: "inet_service"
        case .address(.ipv4), .prefix(.ipv4): "ipv4_addr"
        case .address(.ipv6), .prefix(.ipv6): "ipv6_addr"
        }
    }
}
