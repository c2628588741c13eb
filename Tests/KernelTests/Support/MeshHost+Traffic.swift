import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// How much is done: all of it in a soak (`make soak`), else a tenth.
func soaked(_ count: Int) -> Int { getenv("MESHCTL_SOAK") != nil ? count : count / 10 }

/// The transport protocols that can be published. SCTP is a module, which nothing loads by itself in each kernel: where
/// there is none, the test fails.
func publishableTransports() async throws -> [TransportProtocol] {
    try await Shell.check("modprobe", "sctp")
    return [.tcp, .udp, .sctp]
}

/// The servers of a test.
struct Responders: Sendable {
    var all: [Responder] = []
    func stop() { for responder in all { responder.stop() } }
}

extension MeshHost {
    /// Servers in each task, on the same ports.
    func serve(_ ports: [Responder.Port]) async throws -> Responders {
        var responders = Responders()
        for task in tasks { responders.all.append(try await Responder(task.name, in: task.namespace, on: ports)) }
        return responders
    }

    func serve(_ port: UInt16, _ transports: [TransportProtocol]) async throws -> Responders {
        try await serve(transports.map { Responder.Port(transport: $0, number: port) })
    }

    /// Changes what is asked for, and has meshctl make it so: one start of the program, however many changes.
    func configure(_ edit: (inout MeshSpec) throws -> Void) async throws {
        try await FileSpecStore(directory: stateDirectory).update { try edit(&$0) }
        try await meshctl("reconcile")
    }

    /// Publishes 1080/tcp, which all tasks serve at their port 80.
    func publishTasks() async throws {
        try await configure { spec in
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
            try spec.addTasks(of: self)
        }
    }

    /// Each address of the node that the client is next to, with the client's own, in each family.
    var places: [(near: IPAddress, far: IPAddress)] {
        [(clientLink.near4, clientLink.far4), (clientLink.near6, clientLink.far6)]
    }

    /// More addresses for the client, from `10.1.0.101` and `fd01::65` on, and for each the node's of its family.
    func addClientAddresses(_ count: Int) async throws -> [(client: IPAddress, node: IPAddress)] {
        var addresses: [(client: IPAddress, node: IPAddress)] = []
        for number in 101..<101 + count {
            addresses.append((IPAddress(ipv4: 0x0A01_0000 + UInt32(number)), clientLink.near4))
            addresses.append((IPAddress(ipv6: 0xFD01 << 112 + UInt128(number)), clientLink.near6))
        }
        try await client.ip(
            addresses.map { address, _ in
                address.family == .ipv4 ? "addr add \(address)/24 dev eth0" : "addr add \(address)/64 dev eth0 nodad"
            })
        return addresses
    }
}

extension SpecTask {
    /// A task behind the node of a test, which is called after the host as it is by default.
    static func local(_ address: IPAddress, weight: UInt32 = 1) -> Self {
        Self(address: address, weight: weight, node: Ledger.hostName())
    }
}

extension MeshSpec {
    /// The tasks of a host, by both their addresses.
    mutating func addTasks(
        of host: MeshHost, isLocal: Bool = true, weights: [UInt32] = [], service: String = "nginx"
    ) throws {
        for (index, task) in host.tasks.enumerated() {
            for address in [task.link.far4, task.link.far6] {
                let weight = index < weights.count ? weights[index] : 1
                try addTask(
                    isLocal ? .local(address, weight: weight) : SpecTask(address: address, weight: weight),
                    service: service)
            }
        }
    }
}

/// Tasks on a bridge of the node's, whose address is their way out: as containers have it.
///
///     node 10.20.0.1 ── bridge ── 10.20.0.2 task 1
///                              └─ 10.20.0.3 task 2
struct BridgedTasks {
    struct Member {
        var name: String
        var namespace: TestNamespace
        var addresses: [IPAddress]
    }

    static let gateways: [IPAddress] = ["10.20.0.1", "fd20::1"]
    var members: [Member] = []

    init(_ count: Int, on host: MeshHost) async throws {
        try await host.node.ip([
            "link add br0 type bridge", "addr add 10.20.0.1/24 dev br0", "addr add fd20::1/64 dev br0 nodad",
            "link set br0 up",
        ])
        for number in 1...count {
            let namespace = try await host.topology.namespace("b\(number)")
            try await Shell.check(
                "ip", "link", "add", "p\(number)", "netns", host.node.name, "type", "veth", "peer", "name", "eth0",
                "netns", namespace.name)
            try await host.node.ip(["link set p\(number) master br0 up"])
            let addresses = [
                IPAddress(ipv4: 0x0A14_0000 + UInt32(number + 1)), IPAddress(ipv6: 0xFD20 << 112 + UInt128(number + 1)),
            ]
            try await namespace.ip([
                "addr add \(addresses[0])/24 dev eth0", "addr add \(addresses[1])/64 dev eth0 nodad",
                "link set eth0 up", "route add default via \(Self.gateways[0])",
            ])
            try await namespace.ip(["route add default via \(Self.gateways[1])"], options: "-6")
            members.append(Member(name: "task\(number)", namespace: namespace, addresses: addresses))
        }
    }

    func serve(_ ports: [Responder.Port]) async throws -> Responders { try await members.serve(ports) }

    /// Gives the bridge, and its address, to a router that the node reaches them by.
    func moveBehindRouter(of host: MeshHost) async throws {
        let router = try await host.topology.namespace("router")
        let link = try await host.topology.link(host.node, router, number: 40)
        try await host.node.ip(["link del br0"])
        try await router.ip([
            "link add br0 type bridge", "addr add \(Self.gateways[0])/24 dev br0",
            "addr add \(Self.gateways[1])/64 dev br0 nodad", "link set br0 up", "route add default via \(link.near4)",
        ])
        try await router.ip(["route add default via \(link.near6)"], options: "-6")
        for index in members.indices {
            try await host.node.ip(["link set p\(index + 1) netns \(router.name)"])
            try await router.ip(["link set p\(index + 1) master br0 up"])
        }
        try await router.check("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        try await host.node.ip(["route add 10.20.0.0/24 via \(link.far4)"])
        try await host.node.ip(["route add fd20::/64 via \(link.far6)"], options: "-6")
    }
}

extension [BridgedTasks.Member] {
    fileprivate func serve(_ ports: [Responder.Port]) async throws -> Responders {
        var responders = Responders()
        for member in self {
            responders.all.append(try await Responder(member.name, in: member.namespace, on: ports))
        }
        return responders
    }
}

/// Tasks each behind a link of its own, whose node's end has no address: the node knows them by a route to each.
///
///     node (10.1.0.1) ── cali1 ── 10.9.0.11 task 1
///                     └─ cali2 ── 10.9.0.12 task 2
struct RoutedTasks {
    var members: [BridgedTasks.Member] = []

    init(_ count: Int, on host: MeshHost) async throws {
        for number in 1...count {
            let namespace = try await host.topology.namespace("r\(number)")
            let link = "cali\(number)"
            try await Shell.check(
                "ip", "link", "add", link, "netns", host.node.name, "type", "veth", "peer", "name", "eth0", "netns",
                namespace.name)
            let addresses = [
                IPAddress(ipv4: 0x0A09_000A + UInt32(number)), IPAddress(ipv6: 0xFD09 << 112 + UInt128(number + 10)),
            ]
            try await host.node.ip([
                "link set \(link) address ee:ee:ee:ee:ee:ee", "addr add fe80::1/64 dev \(link) nodad",
                "link set \(link) up", "route add \(addresses[0])/32 dev \(link)",
            ])
            try await host.node.ip(["route add \(addresses[1])/128 dev \(link)"], options: "-6")
            try await namespace.ip([
                "addr add \(addresses[0])/32 dev eth0", "addr add \(addresses[1])/128 dev eth0 nodad",
                "link set eth0 up", "neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0",
                "route add 169.254.1.1 dev eth0", "route add default via 169.254.1.1 dev eth0",
            ])
            try await namespace.ip(["route add default via fe80::1 dev eth0"], options: "-6")
            members.append(
                BridgedTasks.Member(name: "task\(number)", namespace: namespace, addresses: addresses))
        }
    }

    func serve(_ ports: [Responder.Port]) async throws -> Responders { try await members.serve(ports) }
}
