import IPVSKit
import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Compares the data that IPVSKit reads beside the control socket with the kernel and with the output of tools.
    @Suite struct SideTests {}
}

extension KernelTests.SideTests {
    static let web = VirtualService.ID.address("10.1.0.1", port: 80, protocol: .tcp)
    static let web6 = VirtualService.ID.address("fd01::1", port: 80, protocol: .tcp)
    static let echo = VirtualService.ID.address("10.1.0.1", port: 7, protocol: .udp)
    static let sip = VirtualService.ID.address("10.1.0.1", port: 5060, protocol: .udp)
    static let mixed = VirtualService.ID.address("10.1.0.1", port: 9, protocol: .udp)

    /// A node with a service of every kind, and nginx behind it.
    static func withServices(_ body: (MeshHost, IPVS) async throws -> Void) async throws {
        try await MeshHost.with { host in
            try await host.startServers()
            try await host.node.check("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            let ipvs = try IPVS(in: .named(host.node.name))
            let table = Table([
                .init(
                    VirtualService(id: web),
                    destinations: host.tasks.map { Destination($0.link.far4, port: 80) }),
                .init(
                    VirtualService(id: web6),
                    destinations: host.tasks.map { Destination($0.link.far6, port: 80) }),
                .init(
                    VirtualService(id: echo, persistence: .init()),
                    destinations: [Destination(host.tasks[0].link.far4, port: 7)]),
                .init(
                    VirtualService(id: sip, flags: .onePacket, persistence: .init(), persistenceEngine: "sip"),
                    destinations: [Destination(host.tasks[0].link.far4, port: 5060)]),
                .init(
                    VirtualService(id: mixed),
                    destinations: [Destination(host.tasks[1].link.far6, port: 9, forwarding: .tunnel)]),
                .init(
                    VirtualService(id: .firewallMark(0x102, .ipv4), persistence: .init(timeoutSeconds: 600)),
                    destinations: [Destination(host.tasks[0].link.far4, port: 0)]),
                .init(
                    VirtualService(id: .firewallMark(0x102, .ipv6), persistence: .init(timeoutSeconds: 600)),
                    destinations: [Destination(host.tasks[0].link.far6, port: 0)]),
            ])
            try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
            for program in ["iptables", "ip6tables"] {
                try await host.node.check(
                    program, "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "--dport", "90", "-j", "MARK",
                    "--set-mark", "258")
            }
            try await body(host, ipvs)
        }
    }

    /// Sends one datagram without waiting for an answer.
    static func send(_ text: String, from namespace: TestNamespace, to address: IPAddress, port: UInt16) async throws {
        try await namespace.thread {
            let socket = try TestSocket(address.family, SOCK_DGRAM)
            try socket.connect(address, port: port)
            try socket.send(text)
        }
    }
}
