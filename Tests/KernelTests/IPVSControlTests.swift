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
