import IPVSKit
import Netlink

/// A packet as the routing decision sees it.
struct RoutedPacket: Hashable, Sendable {
    /// The source address; nil if the packet has none yet.
    var source: IPAddress?
    var destination: IPAddress
    /// The interface on which the packet arrives; nil for a packet that this node sends.
    var input: String?
    var mark: UInt32 = 0
    /// The ports of a packet that is forwarded, or that carries an overlay network, for rules that ask for them. Of a
    /// packet that IPVS sends, the kernel does not look at the ports.
    var ports: RouteQuestion.Ports?
    /// Whether the entry of the table counts as it stands, so that one with several interfaces is unknown, or else the
    /// route that results for this packet.
    var asItStands = false

    /// The `ip route get` command that shows the routing decision about the packet.
    var question: String {
        let ports = ports.map(Self.text) ?? ""
        return "ip route get \(destination)" + (source.map { " from \($0)" } ?? "")
            + (input.map { " iif \($0)" } ?? "") + (mark == 0 ? "" : " mark \(mark)") + ports
    }

    private static func text(_ ports: RouteQuestion.Ports) -> String {
        let transport = TransportProtocol(rawValue: UInt16(ports.transport))
        return " ipproto \(transport) sport \(ports.source) dport \(ports.destination)"
    }
}

/// The kernel's routing decision.
enum Routing: Hashable, Sendable {
    case leaves(by: String)
    /// A route or a rule of `ip rule` exists to refuse the packet, or its source is behind another interface.
    case refused
    case noRoute
    /// The kernel does not tell.
    case unknown

    /// The interface by which the packet leaves, if it does.
    var interface: String? { if case .leaves(let interface) = self { interface } else { nil } }
}

extension RouteQuestion.Ports {
    /// The ports of a packet that carries an overlay network.
    ///
    /// - Parameter port: the port to which nodes send such packets.
    init(carryingTo port: UInt16) {
        // The source port is one of a large range, which a rule hardly divides.
        self.init(UInt8(truncatingIfNeeded: TransportProtocol.udp.rawValue), from: 50000, to: port)
    }

    /// The ports of a reply to a client. Nil for SCTP, of which the kernel answers no such question.
    ///
    /// - Parameter port: the port from which the reply comes.
    init?(replying transport: TransportProtocol, from port: UInt16) {
        guard transport == .tcp || transport == .udp else { return nil }
        // Clients have any port of a large range, which a rule hardly divides.
        self.init(UInt8(truncatingIfNeeded: transport.rawValue), from: port, to: 50000)
    }
}

extension RouteClient {
    /// Asks the kernel for the routing decisions about packets (`RTM_GETROUTE`), in their order.
    func routings(of packets: [RoutedPacket]) async throws(NetlinkError) -> [Routing] {
        var inputs: [String: Int32] = [:]
        for name in Set(packets.compactMap(\.input)) { inputs[name] = try await link(named: name)?.index }
        // The kernel cannot be asked about what arrives on an interface that is gone.
        let known = packets.indices.filter { packets[$0].input.map { inputs[$0] != nil } ?? true }
        let answers = try await answers(
            to: known.map { index in
                let packet = packets[index]
                return RouteQuestion(
                    to: packet.destination.bytes, from: packet.source?.bytes,
                    input: packet.input.flatMap { inputs[$0] }, mark: packet.mark, ports: packet.ports,
                    asItStands: packet.asItStands)
            })
        var routings = Array(repeating: Routing.unknown, count: packets.count)
        for (index, routing) in zip(known, answers.routings) { routings[index] = routing }
        return routings
    }

    /// The routing decisions about packets that the namespace sends to addresses, in their order. Those to its own
    /// addresses leave by no interface, and count as unknown.
    func routings(to addresses: [IPAddress]) async throws(NetlinkError) -> [Routing] {
        let answers = try await answers(to: addresses.map { RouteQuestion(to: $0.bytes) })
        return zip(answers, answers.routings).map { answer, routing in
            answer.entry?.isLocal == true ? .unknown : routing
        }
    }
}

extension [RouteAnswer] {
    /// The decision in each answer.
    fileprivate var routings: [Routing] {
        let names = interfaceNames(Set(compactMap(\.entry?.interface)))
        return map { answer in
            switch answer {
            case .refused: .refused
            case .none: .noRoute
            case .entry(let entry): entry.interface.flatMap { names[$0] }.map(Routing.leaves) ?? .unknown
            }
        }
    }
}
