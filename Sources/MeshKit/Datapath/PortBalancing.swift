import IPVSKit
import RuleKit

/// How the published ports of services are balanced, whichever namespace the balancer is in. Pure.
enum PortBalancing {
    /// In seconds: longer than the two hours after which Linux begins to probe an idle connection. If IPVS forgot the
    /// connection before that, the connection would end with its next packet.
    static let tcpTimeoutSeconds: UInt32 = 7500

    /// How new connections to a port are handled.
    ///
    /// - Parameter families: the families that have tasks.
    static func rule(_ port: PublishedPort, _ twins: Twins, _ families: Set<AddressFamily>) -> PortRule {
        // A persistent service by mark ignores the ports of its destinations, and a destination of a range keeps the
        // packet's port. In both cases the rules translate the port before IPVS sees the packet.
        let isTranslated = port.isShifted && (port.stickySeconds != nil || port.listening.isRange)
        return PortRule(
            mark: port.mark, allowed: port.allowed.isEmpty ? nil : Set(port.allowed),
            target: isTranslated ? port.target : nil, twin: twins.first(of: port), families: families)
    }

    /// Groups of single ports of one service that lead to the same target port. Each group is known by the port with the
    /// lowest mark, which is usually the one that was published first: firewalls are told of it, and see it for all others.
    ///
    /// IPVS finds the connection of a task's reply by the addresses and ports of the task and the client alone. If one
    /// client port had two connections to one task port, through two published ports, IPVS would send the replies of
    /// both connections to the same published port. So the rules translate all ports of the group to one of them, and
    /// IPVS sees a single published port. conntrack still distinguishes the two connections: it gives one of them
    /// another source port.
    struct Twins {
        private struct Key: Hashable {
            var target: UInt16
            var transport: TransportProtocol
            var address: IPAddress?
        }

        private var first: [Key: PublishedPort] = [:]

        init(_ service: MeshSpec.Service) {
            for port in service.ports {
                guard let key = Self.key(port) else { continue }
                if let known = first[key], known.mark < port.mark { continue }
                first[key] = port
            }
        }

        private static func key(_ port: PublishedPort) -> Key? {
            guard !port.listening.isRange, port.stickySeconds == nil else { return nil }
            return Key(
                target: port.target, transport: port.listening.transport, address: port.listening.address)
        }

        /// The port by which the group is known; nil if that is the port itself, or it has no group.
        func first(of port: PublishedPort) -> UInt16? {
            guard let first = Self.key(port).flatMap({ first[$0]?.listening.ports.lowerBound }) else { return nil }
            return first == port.listening.ports.lowerBound ? nil : first
        }
    }

    /// The ports that were there before an edit, and that the rules of the node translate to another port after it: a
    /// firewall that lets their packets in may not do so any more.
    static func portsTranslatedAnew(from before: MeshSpec, to after: MeshSpec) -> [BalancedPort] {
        after.services.sorted { $0.key < $1.key }.flatMap { name, service -> [BalancedPort] in
            guard let former = before.services[name], former.ports != service.ports,
                former.balancing == .host, service.balancing == .host
            else { return [] }
            let (old, new) = (Twins(former), Twins(service))
            let known = Dictionary(uniqueKeysWithValues: former.ports.map { ($0.listening, $0) })
            return service.ports.filter { port in
                known[port.listening].map { old.first(of: $0) != new.first(of: port) } ?? false
            }.map { BalancedPort(port: $0, tasks: service.tasks) }
        }
    }

    /// The service for one port and family.
    static func entry(
        _ service: MeshSpec.Service, _ port: PublishedPort, _ family: AddressFamily, _ tasks: [SpecTask]
    ) -> Table.Entry {
        Table.Entry(
            VirtualService(
                id: .firewallMark(port.mark, family), scheduler: service.scheduler, flags: flags(service.scheduler),
                persistence: port.stickySeconds.map { .init(timeoutSeconds: $0) }),
            destinations: tasks.filter(port.leads).map {
                Destination(
                    $0.address, port: port.destinationPort, weight: $0.share, upperThreshold: port.maxConnections ?? 0)
            })
    }

    /// Without the fallback flag, a hashing scheduler refuses every client that hashes to a draining task.
    static func flags(_ scheduler: Scheduler) -> VirtualService.Flags {
        [.sourceHashing, .maglevHashing].contains(scheduler) ? .hashFallback : []
    }

    /// The ports from which tasks answer, for TCP and SCTP. UDP needs no protection: a datagram that conntrack calls
    /// INVALID is damaged, and no host answers a damaged datagram.
    ///
    /// - Parameter retiring: paths that take no new connections, whose destinations still answer.
    static func answering(_ services: [MeshSpec.Service], retiring: [RetiringPath] = []) -> Set<TaskPorts> {
        struct Kind: Hashable {
            var transport: TransportProtocol
            var family: AddressFamily
        }
        struct Server: Hashable {
            var task: IPAddress
            var transport: TransportProtocol
        }
        var served: [Server: RangeSet<Int>] = [:]
        for path in retiring where path.binding.transport != .udp {
            for destination in path.destinations {
                let ports = destination.port == 0 ? path.targets : destination.port...destination.port
                guard let ports else { continue }
                served[Server(task: destination.address, transport: path.binding.transport), default: RangeSet()]
                    .insert(contentsOf: Int(ports.lowerBound)..<Int(ports.upperBound) + 1)
            }
        }
        for service in services {
            var targets: [Kind: RangeSet<Int>] = [:]
            for port in service.ports where port.listening.transport != .udp {
                let range = Int(port.targets.lowerBound)..<Int(port.targets.upperBound) + 1
                for family in port.listening.address.map({ [$0.family] }) ?? AddressFamily.allCases {
                    targets[Kind(transport: port.listening.transport, family: family), default: RangeSet()]
                        .insert(contentsOf: range)
                }
            }
            for task in service.tasks {
                for (kind, ports) in targets where kind.family == task.address.family {
                    served[Server(task: task.address, transport: kind.transport), default: RangeSet()].formUnion(ports)
                }
            }
        }
        return Set(
            served.flatMap { server, ports in
                ports.ranges.map {
                    TaskPorts(server.task, server.transport, UInt16($0.lowerBound)...UInt16($0.upperBound - 1))
                }
            })
    }

    /// The settings that the services of a balancer depend on.
    static func sysctls(on node: NodeFacts) -> [Sysctl: String] {
        var sysctls: [Sysctl: String] = [
            .ipv4Forwarding: "1", .ipvsConntrack: "1", .expireNoDestination: "1", .expireQuiescentTemplate: "1",
        ]
        // Before Linux 5.9 this setting delayed each connection that reused a port by a second.
        if node.kernel >= KernelVersion(major: 5, minor: 9) { sysctls[.connectionReuse] = "1" }
        return sysctls
    }
}

/// A published port, and the tasks to which it leads.
struct BalancedPort: Hashable, Sendable {
    var port: PublishedPort
    var tasks: [SpecTask]
}

extension PlaceContent {
    /// Keeps what the open connections of retiring paths need: their destinations, with weight 0, and the accepts of
    /// replies. Whatever only decides about new connections is not kept.
    mutating func keep(_ paths: [RetiringPath], of spec: MeshSpec) {
        guard !paths.isEmpty else { return }
        let marks = Set(paths.map(\.mark))
        var schedulers: [FirewallMark: Scheduler] = [:]
        for service in spec.services.values {
            for port in service.ports where marks.contains(port.mark) { schedulers[port.mark] = service.scheduler }
        }
        for path in paths {
            let scheduler = schedulers[path.mark] ?? .roundRobin
            for id in path.destinations {
                let service = VirtualService.ID.firewallMark(path.mark, id.address.family)
                var entry =
                    ipvs[service]
                    // Without destinations of another weight it schedules nothing.
                    ?? Table.Entry(
                        VirtualService(id: service, scheduler: scheduler, flags: PortBalancing.flags(scheduler)))
                if entry[id] == nil { entry[id] = Destination(id.address, port: id.port, weight: 0) }
                ipvs[service] = entry
                rules.tasks.insert(id.address)
            }
        }
    }
}
