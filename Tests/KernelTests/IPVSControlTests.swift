import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// The commands that are not about one service: flush, zero, timeouts, info, sync daemons; and partial changes.
    @Suite struct IPVSControlTests {
        private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

        private func inNamespace(_ body: (IPVS, TestNamespace) async throws -> Void) async throws {
            try await Topology.with { topology in
                let namespace = try await topology.namespace("ipvs")
                try await body(try IPVS(in: .named(namespace.name)), namespace)
            }
        }

        @Test func flushDeletesEveryService() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.flush()
                try await ipvs.create(VirtualService(id: Self.web))
                try await ipvs.create(VirtualService(id: .address("fd00::1", port: 80, protocol: .tcp)))
                try await ipvs.flush()
                let services = try await ipvs.services()
                #expect(services.isEmpty)
            }
        }

        @Test func timeoutsAreSetOneByOne() async throws {
            try await inNamespace { ipvs, namespace in
                let found = try await ipvs.timeouts()
                #expect(found == Timeouts(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300))
                try await ipvs.set(Timeouts(tcpFinSeconds: 60))
                let changed = try await ipvs.timeouts()
                #expect(changed == Timeouts(tcpSeconds: 900, tcpFinSeconds: 60, udpSeconds: 300))
                let shown = try await namespace.check("ipvsadm", "-L", "--timeout")
                #expect(shown == "Timeout (tcp tcpfin udp): 900 60 300\n")
                let error = await #expect(throws: IPVSError.self) { try await ipvs.set(Timeouts(udpSeconds: .max)) }
                #expect(error?.code == .invalid)
            }
        }

        @Test func infoSaysWhatIpvsadmSays() async throws {
            try await inNamespace { ipvs, namespace in
                let info = try await ipvs.info()
                let shown = try await namespace.check("ipvsadm", "-Ln")
                #expect(shown.hasPrefix("IP Virtual Server version \(info.version) (size=\(info.connectionTableSize))"))
            }
        }

        @Test func zeroSetsCountersOfOneServiceOrOfAll() async throws {
            try await MeshHost.with(tasks: 1) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                let ipvs = try IPVS(in: .named(host.node.name))
                let id = VirtualService.ID.firewallMark(0x100, .ipv4)
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 5)
                #expect(answers.count == 5)
                // The kernel's estimator copies the counters every two seconds.
                try await Task.sleep(for: .seconds(3))
                let before = try await ipvs.service(id)
                #expect(before.statistics.connections == 5)
                #expect(before.destinations.map(\.statistics.connections) == [5])
                try await ipvs.zero(id)
                let after = try await ipvs.service(id)
                #expect(after.statistics.connections == 0)
                #expect(after.destinations.map(\.statistics.connections) == [0])
                try await ipvs.zero()
                let error = await #expect(throws: IPVSError.self) {
                    try await ipvs.zero(.firewallMark(0x999, .ipv4))
                }
                #expect(error?.code == .serviceNotFound)
            }
        }

        @Test func syncDaemonsAreStartedReadBackAndStopped() async throws {
            try await Topology.with { topology in
                let near = try await topology.namespace("near")
                let far = try await topology.namespace("far")
                _ = try await topology.link(near, far, number: 1)
                let ipvs = try IPVS(in: .named(near.name))
                let none = try await ipvs.daemons()
                #expect(none.isEmpty)

                let master = SyncDaemon(
                    role: .master, interface: "v1", syncID: 7, maximumLength: 1400, group: "224.0.0.99", port: 8849,
                    timeToLive: 3)
                try await ipvs.start(master)
                let backup = SyncDaemon(role: .backup, interface: "v1", syncID: 8)
                try await ipvs.start(backup)
                let daemons = try await ipvs.daemons()
                #expect(daemons.first == master)
                #expect(daemons.map(\.role) == [.master, .backup])
                #expect(daemons.last?.group == "224.0.0.81" && daemons.last?.port == 8848)

                func code(_ body: () async throws -> Void) async -> IPVSError.Code? {
                    await #expect(throws: IPVSError.self) { try await body() }?.code
                }
                #expect(await code { try await ipvs.start(master) } == .daemonRunning)
                try await ipvs.stopDaemon(.master)
                #expect(await code { try await ipvs.stopDaemon(.master) } == .daemonNotRunning)
                #expect(
                    await code { try await ipvs.start(SyncDaemon(role: .master, interface: "nosuch")) }
                        == .interfaceNotFound)
                #expect(
                    await code { try await ipvs.start(SyncDaemon(role: .master, interface: "v1", group: "10.0.0.1")) }
                        == .invalid)
                try await ipvs.stopDaemon(.backup)
                let left = try await ipvs.daemons()
                #expect(left.isEmpty)
            }
        }

        @Test func aPartialChangeKeepsWhatItDoesNotName() async throws {
            try await inNamespace { ipvs, _ in
                let service = VirtualService(
                    id: Self.web, scheduler: .sourceHashing, flags: [.hashFallback, .hashPort],
                    persistence: .init(timeoutSeconds: 77, netmask: 0xFFFF_0000))
                let tunnelled = Destination(
                    "10.2.0.1", port: 80, weight: 4, forwarding: .tunnel, upperThreshold: 9, lowerThreshold: 3,
                    tunnel: .init(type: 1, port: 6080, flags: 1))
                try await ipvs.create(service)
                try await ipvs.create(tunnelled, of: Self.web)

                try await ipvs.modify(Self.web) { $0.scheduler = .weightedRoundRobin }
                try await ipvs.modify(tunnelled.id, of: Self.web) { $0.weight = 0 }
                var wantedService = service
                wantedService.scheduler = .weightedRoundRobin
                var wantedDestination = tunnelled
                wantedDestination.weight = 0
                let found = try await ipvs.service(Self.web)
                #expect(found.service == wantedService)
                #expect(found.destinations.map(\.destination) == [wantedDestination])

                let error = await #expect(throws: IPVSError.self) {
                    try await ipvs.modify(.init("10.9.9.9", port: 1), of: Self.web) { $0.weight = 1 }
                }
                #expect(error?.code == .destinationNotFound)
            }
        }

        /// By netlink or by the older interface, whichever can tell: both tell the same.
        @Test func theTableIsWhatNetlinkListsWhicheverWayItIsRead() async throws {
            try await inNamespace { ipvs, _ in
                let empty = try await ipvs.table()
                #expect(empty == Table())
                var table = Table(
                    (1...50).map { number in
                        .init(
                            VirtualService(
                                id: .address(IPAddress(ipv4: 0x0A01_0000 | number), port: 80, protocol: .tcp),
                                scheduler: .weightedLeastConnection),
                            destinations: (0..<number % 7).map {
                                Destination(
                                    IPAddress(ipv4: 0x0A02_0000 | $0), port: 8080, weight: $0 * 1_000_000,
                                    forwarding: $0 == 3 ? .directRoute : .masquerade, upperThreshold: 9 * $0,
                                    lowerThreshold: $0)
                            })
                    })
                // What the older interface cannot tell: IPv6, tunnels, a destination of the other family.
                let six = VirtualService.ID.address("fd00::1", port: 80, protocol: .tcp)
                table[six] = .init(VirtualService(id: six), destinations: [Destination("fd00::2", port: 80)])
                table[Self.web] = .init(
                    VirtualService(id: Self.web, persistence: .init(timeoutSeconds: 5)),
                    destinations: [
                        Destination("10.3.0.1", port: 0, forwarding: .tunnel, tunnel: .init(type: 1, port: 99)),
                        Destination("10.3.0.2", port: 0),
                    ])
                let mixed = VirtualService.ID.firewallMark(0x103, .ipv4)
                table[mixed] = .init(
                    VirtualService(id: mixed),
                    destinations: [
                        Destination("10.3.0.2", port: 0), Destination("fd00::9", port: 0, forwarding: .tunnel),
                    ])
                try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
                let read = try await ipvs.table()
                let listed = Table(try await ipvs.status())
                #expect(read == table)
                #expect(listed == table)
            }
        }

        /// While another task changes it, the table is one that there was at some moment, or an error that says why
        /// not: never half of two.
        @Test func aTableThatChangesIsReadWholeOrNotAtAll() async throws {
            try await inNamespace { ipvs, _ in
                // Each pass adds a destination to both services, then removes it from both.
                let ids = [Self.web, VirtualService.ID.firewallMark(0x103, .ipv4)]
                let destination = Destination("10.3.0.1", port: 80)
                for id in ids { try await ipvs.create(VirtualService(id: id)) }
                let changing = Task {
                    while !Task.isCancelled {
                        try await ipvs.perform(ids.map { .createDestination(destination, of: $0) }).get()
                        try await ipvs.perform(ids.map { .deleteDestination(destination.id, of: $0) }).get()
                        try await Task.sleep(for: .milliseconds(5))
                    }
                }
                var seen = 0
                for _ in 0..<50 {
                    do {
                        let table = try await ipvs.table()
                        let counts = ids.map { table[$0]?.destinations.count }
                        #expect(counts[0] == counts[1])
                        seen += 1
                    } catch let error as IPVSError {
                        #expect(error.code == .inconsistent)
                    }
                }
                #expect(seen > 0)
                changing.cancel()
                _ = try? await changing.value
            }
        }

        /// The module is taken away and comes back with another family id: the client asks for it again.
        @Test func theModuleMayBeLoadedAnewBetweenTwoCalls() async throws {
            let ipvs = try IPVS()
            try await ipvs.flush()
            // Other tests' namespaces go in their own time, and hold the module until then.
            try await Shell.check(
                "sh", "-c",
                """
                for try in $(seq 100); do
                    for name in $(lsmod | awk '$1 ~ /^(ip_vs|xt_ipvs)/ { print $1 }'); do rmmod "$name" 2>/dev/null; done
                    lsmod | grep -q '^ip_vs ' || break
                    sleep 0.1
                done
                ! lsmod | grep '^ip_vs ' || exit 1
                # Something else takes the id that has become free.
                modprobe l2tp_netlink 2>/dev/null || modprobe macsec 2>/dev/null || modprobe team 2>/dev/null || true
                modprobe ip_vs
                """)
            try await ipvs.create(VirtualService(id: Self.web))
            let services = try await ipvs.services()
            #expect(services.map(\.id) == [Self.web])
            try await ipvs.flush()
        }
    }
}
