import IPVSKit
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A node that tracks what comes, with connection mark 0x102, and never answers; and a client.
struct TrackedNode {
    let node: TestNamespace
    let client: TestNamespace
    let link: Topology.Link

    /// The client's port, the same for all of its flows.
    static let clientPort: UInt16 = 40000

    static func with(_ body: (TrackedNode) async throws -> Void) async throws {
        try await Topology.with { topology in
            let node = try await topology.namespace("node")
            let client = try await topology.namespace("client")
            let link = try await topology.link(node, client, number: 1)
            for (tool, unreachable) in [
                ("iptables", ["-p", "icmp"]),
                ("ip6tables", ["-p", "icmpv6", "--icmpv6-type", "destination-unreachable"]),
            ] {
                // The kernel tracks for who asks for it.
                try await node.check(
                    [tool, "-t", "mangle", "-A", "PREROUTING", "-m", "conntrack", "--ctstate", "NEW"]
                        + ["-j", "CONNMARK", "--set-mark", "0x102"])
                // Else the client's socket would hear that nobody listens.
                try await node.check([tool, "-A", "OUTPUT"] + unreachable + ["-j", "DROP"])
                // A reset that conntrack saw would end the flow: this is before it looks.
                try await node.check([tool, "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "-j", "DROP"])
            }
            try await node.check("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=600")
            try await body(TrackedNode(node: node, client: client, link: link))
        }
    }

    /// A datagram to each of the ports: as many flows.
    func send(to address: IPAddress, ports: ClosedRange<UInt16>) async throws {
        try await client.thread {
            let socket = try TestSocket(address.family, SOCK_DGRAM)
            try socket.bind(port: Self.clientPort)
            for port in ports {
                try socket.connect(address, port: port)
                try socket.send("?")
            }
        }
    }

    /// A connection that is never answered, given up after two seconds.
    func beginConnection(to address: IPAddress, port: UInt16) async throws {
        try await client.thread {
            let socket = try TestSocket(address.family, SOCK_STREAM)
            #expect(throws: (any Error).self) { try socket.connect(address, port: port) }
        }
    }
}
