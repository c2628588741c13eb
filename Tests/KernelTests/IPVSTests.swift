import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// IPVSKit against the kernel, and against ipvsadm's view of it.
    @Suite struct IPVSTests {
        private static let tcp = VirtualService.ID.address("10.1.0.1", port: 443, protocol: .tcp)
        private static let udp6 = VirtualService.ID.address("fd00::1", port: 53, protocol: .udp)
        private static let sctp = VirtualService.ID.address("10.1.0.1", port: 9, protocol: .sctp)
        private static let mark4 = VirtualService.ID.firewallMark(0x102, .ipv4)
        private static let mark6 = VirtualService.ID.firewallMark(0x102, .ipv6)

        private static let table = Table([
            .init(
                VirtualService(
                    id: tcp, scheduler: .weightedLeastConnection,
                    persistence: .init(timeoutSeconds: 600, netmask: 0xFFFF_FF00)),
                destinations: [
                    Destination("10.2.0.1", port: 8443, weight: 70_000, upperThreshold: 100, lowerThreshold: 50),
                    Destination("10.2.0.2", port: 443, weight: 0, forwarding: .directRoute),
                ]),
            .init(
                VirtualService(id: udp6, scheduler: .maglevHashing, flags: [.onePacket, .hashFallback, .hashPort]),
                destinations: [Destination("fd02::1", port: 53)]),
            .init(VirtualService(id: sctp, scheduler: .roundRobin)),
            .init(
                VirtualService(id: mark4, scheduler: .sourceHashing, flags: .hashFallback),
                destinations: [
                    Destination("10.2.0.1", port: 0),
                    Destination("10.2.0.3", port: 0, forwarding: .tunnel, tunnel: .init(type: 1, port: 6080, flags: 0)),
                ]),
            .init(
                VirtualService(id: mark6, scheduler: .roundRobin, persistence: .init(timeoutSeconds: 300, netmask: 64)),
                destinations: [Destination("fd02::2", port: 80, weight: 2)]),
        ])

        private func inNamespace(_ body: (IPVS, TestNamespace) async throws -> Void) async throws {
            try await Topology.with { topology in
                let namespace = try await topology.namespace("ipvs")
                try await body(try IPVS(in: .named(namespace.name)), namespace)
            }
        }

        @Test func whatIsWrittenIsReadBackEqualAndShownByIpvsadm() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.perform(Table.changes(from: Table(), to: Self.table)).get()
                #expect(Table(try await ipvs.status()) == Self.table)
                let saved = try await namespace.check("ipvsadm", "-Sn")
                #expect(
                    Set(saved.split(separator: "\n").map { $0.trimmingSuffix(while: \.isWhitespace) }) == [
                        "-A -t 10.1.0.1:443 -s wlc -p 600 -M 255.255.255.0",
                        "-a -t 10.1.0.1:443 -r 10.2.0.1:8443 -m -w 70000",
                        "-a -t 10.1.0.1:443 -r 10.2.0.2:443 -g -w 0",
                        "-A -u [fd00::1]:53 -s mh -o -b mh-fallback,mh-port",
                        "-a -u [fd00::1]:53 -r [fd02::1]:53 -m -w 1",
                        "-A --sctp-service 10.1.0.1:9 -s rr",
                        "-A -f 258 -s sh -b sh-fallback",
                        "-a -f 258 -r 10.2.0.1:0 -m -w 1",
                        "-a -f 258 -r 10.2.0.3:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
                        "-A -f 258 -6 -s rr -p 300 -M 64",
                        "-a -f 258 -6 -r [fd02::2]:80 -m -w 2",
                    ])
            }
        }

        @Test func differencesAreWrittenAndNothingElse() async throws {
            try await inNamespace { ipvs, _ in
                try await ipvs.perform(Table.changes(from: Table(), to: Self.table)).get()
                var wanted = Self.table
                wanted[Self.sctp] = nil
                wanted[Self.mark4]?.destinations[.init("10.2.0.1", port: 0)]?.weight = 9
                wanted[Self.mark6]?.service.scheduler = .leastConnection
                let changes = Table.changes(from: Table(try await ipvs.status()), to: wanted)
                #expect(changes.count == 3)
                try await ipvs.perform(changes).get()
                #expect(Table(try await ipvs.status()) == wanted)
            }
        }

        /// The kernel's own errno for each command, and what we call it.
        @Test func errors() async throws {
            try await inNamespace { ipvs, _ in
                let service = VirtualService(id: Self.mark4)
                let destination = Destination("10.2.0.1", port: 80)
                func expect(
                    _ code: IPVSError.Code, _ errno: Errno?, _ body: () async throws -> Void,
                    sourceLocation: SourceLocation = #_sourceLocation
                ) async {
                    let error = await #expect(throws: IPVSError.self, sourceLocation: sourceLocation) {
                        try await body()
                    }
                    #expect(error?.code == code, sourceLocation: sourceLocation)
                    #expect(error?.errno == errno, sourceLocation: sourceLocation)
                }
                await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.delete(Self.mark4) }
                await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.update(service) }
                await expect(.serviceNotFound, .noSuchProcess) { _ = try await ipvs.service(Self.mark4) }
                await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.create(destination, of: Self.mark4) }
                await expect(.schedulerNotFound, .noSuchFileOrDirectory) {
                    try await ipvs.create(VirtualService(id: Self.mark4, scheduler: "nosuch"))
                }
                try await ipvs.create(service)
                await expect(.serviceExists, .fileExists) { try await ipvs.create(service) }
                await expect(.destinationNotFound, .noSuchFileOrDirectory) {
                    try await ipvs.update(destination, of: Self.mark4)
                }
                await expect(.destinationNotFound, .noSuchFileOrDirectory) {
                    try await ipvs.delete(destination.id, of: Self.mark4)
                }
                try await ipvs.create(destination, of: Self.mark4)
                await expect(.destinationExists, .fileExists) { try await ipvs.create(destination, of: Self.mark4) }
                await expect(.invalid, .invalidArgument) {
                    try await ipvs.create(Destination("224.0.0.1", port: 80), of: Self.mark4)
                }
                await expect(.outOfRange, .outOfRange) {
                    try await ipvs.update(Destination("10.2.0.1", port: 80, weight: .max), of: Self.mark4)
                }
                await expect(.serviceNotFound, .noSuchProcess) { try await ipvs.delete(Self.mark6) }
                #expect(try await ipvs.service(Self.mark4).destinations.map(\.destination) == [destination])
            }
        }

        @Test func aNamespaceIsKnownByNamePathAndDescriptor() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.create(VirtualService(id: Self.mark4))
                let path = FilePath("/run/netns/\(namespace.name)")
                let descriptor = try FileDescriptor.open(path, .readOnly)
                let byDescriptor = try descriptor.closeAfter { try IPVS(in: .descriptor(descriptor)) }
                for other in [try IPVS(in: .named(namespace.name)), try IPVS(in: .path(path)), byDescriptor] {
                    #expect(try await other.services().map(\.id) == [Self.mark4])
                }
                #expect(try await IPVS().services().allSatisfy { $0.id != Self.mark4 })
                #expect(throws: IPVSError.self) { try IPVS(in: .named("nosuch")) }
            }
        }

        @Test func tenThousandDestinationsInOnePipeline() async throws {
            try await inNamespace { ipvs, _ in
                let table = Table(
                    (1...100).map { number in
                        .init(
                            VirtualService(id: .firewallMark(FirewallMark(rawValue: number)!, .ipv4)),
                            destinations: (1...100).map {
                                Destination(IPAddress(ipv4: 10 << 24 | number << 8 | $0), port: 80)
                            })
                    })
                try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
                #expect(Table(try await ipvs.status()) == table)
            }
        }

        @Test func aHundredTasksShareAClient() async throws {
            try await inNamespace { ipvs, _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in UInt32(1)...100 {
                        group.addTask {
                            let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: number)!, .ipv4)
                            for round in UInt32(1)...10 {
                                try await ipvs.create(VirtualService(id: id))
                                try await ipvs.create(Destination("10.0.0.1", port: 80, weight: round), of: id)
                                let found = try await ipvs.service(id)
                                #expect(found.id == id && found.destinations.map(\.destination.weight) == [round])
                                try await ipvs.delete(id)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await ipvs.services().isEmpty)
            }
        }

        @Test func theExampleBalancesAPort() async throws {
            try await MeshHost.with { host in
                try await host.startServers()
                let example = try BuiltProducts.path("balance-port")
                try await host.node.check("sysctl", "-qw", "net.ipv4.ip_forward=1")
                let first = try await host.node.check(example, "10.1.0.1", "1080", "10.11.0.2:80", "10.12.0.2:80")
                #expect(
                    first == """
                        create service TCP 10.1.0.1:1080
                        add destination 10.11.0.2:80 to TCP 10.1.0.1:1080
                        add destination 10.12.0.2:80 to TCP 10.1.0.1:1080

                        """)
                let answers = try await host.client.get("10.1.0.1", port: 1080, count: 10)
                #expect(counted(answers) == ["task1 10.1.0.2": 5, "task2 10.1.0.2": 5])
                #expect(try await host.node.check(example, "10.1.0.1", "1080", "10.11.0.2:80", "10.12.0.2:80") == "")
                #expect(
                    try await host.node.check(example, "10.1.0.1", "1080") == "delete service TCP 10.1.0.1:1080\n")
            }
        }
    }
}

extension StringProtocol {
    /// ipvsadm ends some lines with a space.
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        String(reversed().drop(while: predicate).reversed())
    }
}
