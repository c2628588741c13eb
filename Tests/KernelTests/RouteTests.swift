import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    @Suite struct RouteTests {
        private static func client(in namespace: TestNamespace) throws -> RouteClient {
            RouteClient(in: try handle(of: namespace))
        }

        private static func handle(of namespace: TestNamespace) throws -> NamespaceHandle {
            try NamespaceHandle(path: FilePath("/run/netns/\(namespace.name)"))
        }

        @Test func putsUpAPairBetweenTwoNamespaces() async throws {
            try await Topology.with { topology in
                let (near, far) = (try await topology.namespace("near"), try await topology.namespace("far"))
                let (client, other) = (try Self.client(in: near), try Self.client(in: far))
                try await client.createPair(
                    NewInterface(name: "p0", hardwareAddress: [2, 0, 0, 0, 0, 1], group: 7),
                    NewInterface(
                        name: "p1", hardwareAddress: [2, 0, 0, 0, 0, 2], group: 7,
                        namespace: try Self.handle(of: far)))
                let ends = try await (client.link(named: "p0"), other.link(named: "p1"))
                let (left, moved) = (try #require(ends.0), try #require(ends.1))
                #expect(try await client.link(named: "p1") == nil)
                #expect(left.kind == "veth" && left.peer == moved.index && moved.peer == left.index)
                #expect(left.group == 7 && moved.group == 7)
                #expect(moved.hardwareAddress == [2, 0, 0, 0, 0, 2] && !left.flags.contains(.up))
                try await client.set(alias: "made by a test", of: left.index)
                #expect(try await client.link(named: "p0")?.alias == "made by a test")
                let number = try await client.number(of: try Self.handle(of: far))
                #expect(number >= 0 && left.peerNamespace == number)

                try await client.add(address: [10, 5, 0, 1], prefixLength: 24, to: left.index)
                try await other.add(address: [10, 5, 0, 2], prefixLength: 24, to: moved.index)
                try await client.add(
                    address: [0xFD, 5] + [UInt8](repeating: 0, count: 13) + [1], prefixLength: 64, to: left.index)
                try await client.set(.up, true, of: left.index)
                try await other.set(.up, true, of: moved.index)
                #expect(try await other.route(to: [10, 5, 0, 1])?.interface == moved.index)
                let way = try #require(try await client.route(to: [10, 5, 0, 2]))
                #expect(way.interface == left.index && way.prefixLength == 24 && !way.isLocal)
                #expect(try await client.route(to: [10, 5, 0, 1])?.isLocal == true)
                #expect(try await client.route(to: [192, 0, 2, 1]) == nil)
                try await near.ip(["route add blackhole 192.0.2.0/24"])
                #expect(try await client.route(to: [192, 0, 2, 1]) == nil)
                // Many at once, more than the kernel is asked in one window, each with its own answer.
                let addresses: [[UInt8]] = [[192, 0, 2, 1], [10, 5, 0, 2], [198, 51, 100, 1]]
                let answers = try await client.answers(
                    to: (0..<3000).map { RouteQuestion(to: addresses[$0 % 3]) })
                let (first, second, third) = (answers[0], answers[1], answers[2])
                #expect(first == .refused && second == .entry(way) && third == .none)
                #expect(answers == (0..<3000).map { [first, second, third][$0 % 3] })

                let error = await #expect(throws: NetlinkError.self) {
                    try await client.add(address: [10, 5, 0, 1], prefixLength: 24, to: left.index)
                }
                #expect(error?.errno == .fileExists)
                try await client.delete(left.index)
                #expect(try await other.link(named: "p1") == nil, "the other end goes with it")
            }
        }

        /// All that `ip` lists, by one dump each.
        @Test func listsWhatThereIs() async throws {
            try await Topology.with { topology in
                let (node, other) = (try await topology.namespace("node"), try await topology.namespace("other"))
                _ = try await topology.link(node, other, number: 7)
                try await node.ip(
                    [
                        "link add br7 type bridge", "link add a0 type veth peer name a1", "link set a0 master br7",
                        "link set br7 up", "addr add 10.9.0.1/16 dev br7", "addr add 10.9.0.9/32 dev br7",
                        "addr add fd09::1/64 dev br7 nodad", "route add 10.20.0.0/16 via 10.7.0.2 metric 7",
                        "route add unreachable 10.21.0.0/16", "route add default via 10.7.0.2 table 1000",
                        "route add 10.22.0.0/16 via inet6 fd07::2 dev v7",
                        "route add 10.23.0.0/16 nexthop via 10.7.0.2 nexthop via 10.7.0.3",
                    ])
                let client = try Self.client(in: node)
                let links = try await client.links()
                let lines = try await node.check("ip", "-o", "link").split(separator: "\n")
                #expect(
                    Set(links.map(\.name))
                        == Set(lines.map { $0.split { " :@".contains($0) }[1] }.map(String.init)))
                let bridge = try #require(links.first { $0.name == "br7" })
                #expect(bridge.kind == "bridge" && bridge.flags.contains(.up) && bridge.hardwareAddress.count == 6)
                let ports = links.filter { $0.master == bridge.index }
                #expect(ports.map(\.name) == ["a0"] && ports.first?.masterKind == "bridge")
                #expect(try await client.ports(of: bridge.index) == ports)
                try await client.set(hairpin: true, of: try #require(ports.first).index)
                #expect(try await client.ports(of: bridge.index).map(\.turnsBack) == [true])

                let addresses = try await client.addresses()
                let shown = try await node.check("ip", "-o", "addr").split(separator: "\n")
                #expect(addresses.count == shown.count)
                let own = addresses.filter { $0.interface == bridge.index && $0.address.count == 4 }
                #expect(
                    Set(own.map { "\($0.address) \($0.prefixLength)" }) == ["[10, 9, 0, 1] 16", "[10, 9, 0, 9] 32"])
                let wide = [0xFD, 9] + [UInt8](repeating: 0, count: 13) + [1]
                #expect(
                    addresses.contains { $0.interface == bridge.index && $0.address == wide && $0.prefixLength == 64 })

                let routes = try await client.routes()
                for family in ["-4", "-6"] {
                    let text = try await node.check("ip", "-o", family, "route", "show", "table", "all")
                    let count = text.split(separator: "\n").count
                    #expect(routes.filter { $0.family == (family == "-4" ? 2 : 10) }.count == count, "\(text)")
                }
                let interface = try #require(links.first { $0.name == "v7" }).index
                // The kernel's types of routes: 1 is RTN_UNICAST, 7 is RTN_UNREACHABLE.
                func route(_ second: UInt8) -> NetworkRoute? {
                    routes.first { $0.destination == [10, second, 0, 0] && $0.table == 254 && $0.prefixLength == 16 }
                }
                #expect(route(20)?.gateway == [10, 7, 0, 2] && route(20)?.priority == 7)
                #expect(route(20)?.interface == interface && route(20)?.type == 1)
                #expect(route(21)?.type == 7 && route(21)?.interface == nil)
                #expect(route(22)?.gateway == [0xFD, 7] + [UInt8](repeating: 0, count: 13) + [2])
                #expect(route(23) != nil && route(23)?.interface == nil)
                let far = routes.filter { $0.table == 1000 }
                #expect(far.count == 1 && far.first?.destination == [] && far.first?.prefixLength == 0)
            }
        }

        /// The ports of the sockets of the namespace that are `NETLINK_ROUTE`, which is number 0.
        private static func routePorts() throws -> [UInt32] {
            let lines = try FilePath("/proc/thread-self/net/netlink").text().split(separator: "\n").dropFirst()
            let fields = lines.map { $0.split(separator: " ") }.filter { $0.count > 2 && $0[1] == "0" }
            return fields.compactMap { UInt32($0[2]) }.filter { $0 != 0 }
        }

        private static func routeSocket() throws -> CInt {
            let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue), 0)
            guard descriptor >= 0 else { throw Errno(rawValue: errno) }
            return descriptor
        }

        /// Says to a port that a request of it is not permitted (`NLMSG_ERROR` with `EPERM`).
        private static func forge(_ sequence: UInt32, to port: UInt32, by sender: CInt) -> Bool {
            let message: [UInt32] = [36, 2, sequence, port, UInt32(bitPattern: -EPERM), 0, 0, 0, 0]
            // `struct sockaddr_nl`.
            let address: [UInt32] = [UInt32(AF_NETLINK), port, 0]
            let sent = address.withUnsafeBytes { bytes in
                sendto(sender, message, 36, 0, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, 12)
            }
            return sent == 36
        }

        /// Root may send to any netlink socket, and so may the root of a rootless container in its namespace.
        @Test func hearsNobodyButTheKernel() async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                let client = try Self.client(in: node)
                let loopback = try #require(try await client.link(named: "lo"))
                try await node.thread {
                    let sender = try Self.routeSocket()
                    defer { close(sender) }
                    let ports = try Self.routePorts()
                    try #require(!ports.isEmpty)
                    // For the numbers of the requests to come: that they are not permitted.
                    for port in ports {
                        for sequence in UInt32(2)...10 { #expect(Self.forge(sequence, to: port, by: sender)) }
                    }
                }
                for _ in 1...9 { #expect(try await client.link(named: "lo") == loopback) }
            }
        }
    }
}
