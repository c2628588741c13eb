import IPVSKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Changes that IPVSKit refuses are sent all the same: traffic shows that the kernel does not act on them. The
    /// contract shows that the kernel accepts them.
    @Suite struct IPVSRefusalTests {
        private static let web = VirtualService.ID.address("10.1.0.1", port: 80, protocol: .tcp)

        /// A node with nginx behind it, without a service.
        private static func with(_ body: (MeshHost, IPVS) async throws -> Void) async throws {
            try await MeshHost.with { host in
                try await host.startServers()
                try await host.node.check("sysctl", "-qw", "net.ipv4.ip_forward=1")
                try await body(host, try IPVS(in: .named(host.node.name)))
            }
        }

        /// Replaces the whole table by a service with its destinations.
        private static func make(
            _ service: VirtualService, _ destinations: [Destination], on ipvs: IPVS
        ) async throws {
            try await ipvs.flush()
            let changes = destinations.map { Change.createDestination($0, of: service.id) }
            try await ipvs.performUnchecked([.createService(service)] + changes).get()
        }

        private static func connections(_ ipvs: IPVS) async throws -> Int {
            var count = 0
            for try await connection in ipvs.connections() where !connection.isTemplate { count += 1 }
            return count
        }

        @Test func whatServesNobody() async throws {
            try await Self.with { host, ipvs in
                let task = Destination(host.tasks[0].link.far4, port: 80)
                let open = Destination(host.tasks[0].link.far4, port: 0)
                let allPorts = VirtualService.ID.address("10.1.0.1", port: 0, protocol: .tcp)
                var strange: [(VirtualService, Destination)] = [
                    (VirtualService(id: allPorts), open),
                    (VirtualService(id: Self.web, persistence: .init(), persistenceEngine: "sip"), task),
                ]
                for method: UInt32 in 5...7 {
                    strange.append(
                        (
                            VirtualService(id: Self.web),
                            Destination(task.id.address, port: 80, forwarding: .init(rawValue: method))
                        ))
                }
                for (service, destination) in strange {
                    try await Self.make(service, [destination], on: ipvs)
                    let answers = try await host.client.get("10.1.0.1", port: 80, count: 1)
                    #expect(!answers.contains { $0.hasPrefix("task1") }, "\(service) \(destination)")
                }
                // A service that differs only in this point works.
                for service in [
                    VirtualService(id: allPorts, persistence: .init()), VirtualService(id: Self.web),
                    VirtualService(id: Self.web, persistence: .init()),
                ] {
                    try await Self.make(service, [service.id == allPorts ? open : task], on: ipvs)
                    #expect(try await host.client.get("10.1.0.1", port: 80, count: 1) == ["task1 10.1.0.2"])
                }
            }
        }

        /// The table has port 8080, on which no program listens.
        @Test func aPortThatIsNotLookedAt() async throws {
            try await Self.with { host, ipvs in
                let allPorts = VirtualService.ID.address("10.1.0.1", port: 0, protocol: .tcp)
                let task = host.tasks[0].link.far4
                try await Self.make(
                    VirtualService(id: allPorts, persistence: .init()), [Destination(task, port: 8080)], on: ipvs)
                #expect(try await host.client.get("10.1.0.1", port: 80, count: 1) == ["task1 10.1.0.2"])

                // The node itself, and a task that has the service's address.
                let servers = try await Responder(
                    "node", in: host.node, on: [.init(transport: .udp, number: 53)], at: "10.1.0.1")
                defer { servers.stop() }
                let udp = VirtualService.ID.address("10.1.0.1", port: 53, protocol: .udp)
                try await Self.make(
                    VirtualService(id: udp), [Destination("10.1.0.1", port: 8080, forwarding: .local)], on: ipvs)
                #expect(try await host.client.ask(.udp, "10.1.0.1", 53) == ["node 10.1.0.2 53": 1])

                try await host.tasks[0].namespace.ip(["addr add 10.1.0.1/32 dev lo"])
                let server = try await host.tasks[0].namespace.thread {
                    let server = try TrafficSocket(.udp, .ipv4)
                    try server.bind("10.1.0.1", port: 53)
                    return server
                }
                try await Self.make(
                    VirtualService(id: udp), [Destination(task, port: 8080, forwarding: .directRoute)], on: ipvs)
                try await KernelTests.SideTests.send("direct", from: host.client, to: "10.1.0.1", port: 53)
                #expect(try await host.tasks[0].namespace.thread { try server.receive() } == "direct")
                var shown: [Connection] = []
                for try await connection in ipvs.connections() { shown.append(connection) }
                let isShown = shown.contains {
                    $0.virtual == .init("10.1.0.1", port: 53) && $0.destination == .init(task, port: 8080)
                }
                #expect(isShown, "so says the kernel's table")
            }
        }

        @Test func onePacketOfTCPIsNoOnePacket() async throws {
            try await Self.with { host, ipvs in
                let tasks = host.tasks.map { Destination($0.link.far4, port: 80) }
                try await Self.make(VirtualService(id: Self.web, flags: .onePacket), tasks, on: ipvs)
                #expect(try await host.client.get("10.1.0.1", port: 80, count: 4).count == 4)
                #expect(try await Self.connections(ipvs) == 4)
            }
        }

        /// IPVS ignores packets to multicast and broadcast addresses.
        @Test func anAddressOfMany() async throws {
            try await Self.with { host, ipvs in
                try await host.client.ip(["route add default dev eth0"])
                for (address, count) in [("224.0.0.251", 0), ("255.255.255.255", 0), ("10.1.0.1", 1)]
                    as [(IPAddress, Int)]
                {
                    let id = VirtualService.ID.address(address, port: 7, protocol: .udp)
                    try await Self.make(
                        VirtualService(id: id), [Destination(host.tasks[0].link.far4, port: 7)], on: ipvs)
                    try await host.client.thread {
                        let socket = try TrafficSocket(.udp, .ipv4)
                        var on: CInt = 1
                        setsockopt(
                            socket.descriptor, SOL_SOCKET, SO_BROADCAST, &on, socklen_t(MemoryLayout<CInt>.size))
                        try socket.connect(address, port: 7)
                        try socket.send("?")
                    }
                    try await Task.sleep(for: .milliseconds(200))
                    #expect(try await Self.connections(ipvs) == count, "\(address)")
                }
            }
        }
    }
}
