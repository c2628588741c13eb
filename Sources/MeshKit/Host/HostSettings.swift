import IPVSKit
import Netlink
import RuleKit

/// The settings and routes of the host that can keep packets from their destinations.
struct HostSettings: Sendable {
    /// The routing decisions about packets that the node sends to addresses, in their order; unknown for its own.
    var ways: @Sendable ([IPAddress]) async -> [Routing]
    /// The routing decisions about packets, in their order.
    var routings: @Sendable ([RoutedPacket]) async -> [Routing]
    var setting: @Sendable (Sysctl) -> String?
    /// What is known of interfaces, in the order of their names.
    var links: @Sendable ([String]) async -> [HostLink] = { $0.map { _ in HostLink() } }
    /// Whether a default route leads out by each of some interfaces, whichever routing rules ask its table.
    var leadOut: @Sendable ([String]) async -> [Bool] = { $0.map { _ in false } }
    /// The routing rules of families that ask for a source or a mark, in the order in which the kernel asks them; nil if
    /// they cannot be read.
    var policies: @Sendable ([AddressFamily]) async -> [[PolicyRule]?] = { $0.map { _ in [] } }
    /// Whether IPVS has a sync daemon that receives connections from another host.
    var isBackup: @Sendable () async -> Bool = { false }

    /// The settings and routes of the namespace of the process.
    static func ofKernel() -> HostSettings {
        let here = try? NetworkNamespace.current.open()
        let routes = here.map { RouteClient(in: $0) }
        let filtered = here.map { RouteClient(in: $0, filtersInKernel: true) }
        @Sendable func leadsOut(by name: String) async throws -> Bool {
            guard let index = try await routes?.link(named: name)?.index else { return false }
            return try await filtered?.leadsOut(by: index) ?? false
        }
        return HostSettings(
            ways: { (try? await routes?.routings(to: $0)) ?? $0.map { _ in .unknown } },
            routings: { (try? await routes?.routings(of: $0)) ?? $0.map { _ in .unknown } },
            setting: { SysctlFiles().read($0) },
            links: { names in
                var links: [HostLink] = []
                for name in names { links.append(HostLink(try? await routes?.link(named: name))) }
                return links
            },
            leadOut: { names in
                var answers: [Bool] = []
                for name in names {
                    let answer = try? await leadsOut(by: name)
                    answers.append(answer ?? false)
                }
                return answers
            },
            policies: { families in
                var answers: [[PolicyRule]?] = []
                for family in families {
                    answers.append(try? await routes?.policyRules(UInt8(truncatingIfNeeded: family.rawValue)))
                }
                return answers
            },
            isBackup: {
                let daemons = try? await IPVS().daemons()
                return daemons?.contains { $0.role == .backup } ?? false
            })
    }

    /// The same settings, each of which is read only once: a hundred ports have the same tasks.
    func remembering() -> HostSettings {
        HostSettings(
            ways: Self.remembering(ways, or: .unknown), routings: Self.remembering(routings, or: .unknown),
            setting: setting, links: Self.remembering(links, or: HostLink()),
            leadOut: Self.remembering(leadOut, or: false), policies: Self.remembering(policies, or: nil),
            isBackup: isBackup)
    }

    private static func remembering<Question: Hashable & Sendable, Answer: Sendable>(
        _ ask: @escaping @Sendable ([Question]) async -> [Answer], or unknown: Answer
    ) -> @Sendable ([Question]) async -> [Answer] {
        let known = Locked<[Question: Answer]>([:])
        return { questions in
            let new = known.withLock { known in Array(Set(questions.filter { known[$0] == nil })) }
            if !new.isEmpty {
                let answers = await ask(new)
                known.withLock { known in
                    for (question, answer) in zip(new, answers) { known[question] = answer }
                }
            }
            return known.withLock { known in questions.map { known[$0] ?? unknown } }
        }
    }

    /// The interface that leads to an address; nil if there is none, or it cannot be told.
    func interface(_ address: IPAddress) async -> String? { await ways([address]).first?.interface }

    /// The routing decision about a packet.
    func routing(_ packet: RoutedPacket) async -> Routing { await routings([packet]).first ?? .unknown }

    /// The interface of the default route, found by looking up an address that is in nobody's network.
    func wayOut(_ family: AddressFamily) async -> String? { await interface(Self.outside(family)) }

    /// An address of a documentation network, which nobody uses.
    static func outside(_ family: AddressFamily) -> IPAddress { family == .ipv4 ? "192.0.2.1" : "2001:db8::1" }

    /// Warnings about everything that keeps packets from being balanced, whatever the port.
    func warnings() -> [String] {
        var warnings: [String] = []
        // 1: IPVS drops packets only while memory is short. 2: memory is short at present. 3: IPVS always drops
        // packets.
        if let value = setting(.dropPacket), value == "2" || value == "3" {
            let rate = setting(.dropRate).map { "one of \($0)" } ?? "some"
            warnings.append("IPVS drops \(rate) new connections: \(Sysctl.dropPacket) is \(value)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.dropPacket)=0"))
        }
        if let value = setting(.dropEntry), value == "2" || value == "3" {
            warnings.append(
                "IPVS forgets some connections that are not established yet, or that have sent little for a minute: "
                    + "\(Sysctl.dropEntry) is \(value)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.dropEntry)=0"))
        }
        if let count = setting(.trackedFlows).flatMap({ Int($0) }),
            let most = setting(.mostTrackedFlows).flatMap({ Int($0) }),
            most > 0, count >= most
        {
            warnings.append(
                "new connections are dropped: conntrack tracks \(count), and \(Sysctl.mostTrackedFlows) is \(most)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.mostTrackedFlows)=\(2 * most)"))
        }
        return warnings
    }

    /// Warnings about everything that keeps packets from a task on another host, or its replies from coming through.
    ///
    /// - Parameter way: where packets for the task leave.
    func warnings(for task: IPAddress, by way: Routing) -> [String] {
        if way == .refused {
            return ["\(task) gets nothing: a route or a rule of this node's forbids it (see `ip route get \(task)`)"]
        }
        guard setting(.forwardingOfAll(task.family)) == "1", case .leaves(let interface) = way,
            !forwards(interface, task.family)
        else { return [] }
        return [
            "replies of \(task) do not come through: \(interface) does not forward (\(Sysctl.forwarding(interface)) is 0)",
            SurveyText.advice("sysctl -w \(Sysctl.forwarding(interface))=1"),
        ]
    }
}

extension Sysctl {
    /// Whether packets that arrive on an interface are forwarded.
    static func forwarding(_ interface: String) -> Self { Self(rawValue: "net/ipv4/conf/\(interface)/forwarding") }
    /// Whether IPVS has a translated reply routed once more, as a packet of the node's own.
    static let rerouting = Self(rawValue: "net/ipv4/vs/snat_reroute")
    /// When IPVS drops packets of new connections.
    static let dropPacket = Self(rawValue: "net/ipv4/vs/drop_packet")
    /// If IPVS always drops packets, it drops one of this number.
    static let dropRate = Self(rawValue: "net/ipv4/vs/am_droprate")
    /// When IPVS forgets connections that occupy memory and transfer little.
    static let dropEntry = Self(rawValue: "net/ipv4/vs/drop_entry")
    /// The number of flows that conntrack tracks, and next to it their limit: 0 for none.
    static let trackedFlows = Self(rawValue: "net/netfilter/nf_conntrack_count")
    static let mostTrackedFlows = Self(rawValue: "net/netfilter/nf_conntrack_max")
}
