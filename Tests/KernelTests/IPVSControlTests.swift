import IPVSKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// The commands that are not about one service, as far as only ipvsadm, traffic or the module shows their effect.
    @Suite struct IPVSControlTests {
        private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

        private func inNamespace(_ body: (IPVS, TestNamespace) async throws -> Void) async throws {
            try await Topology.with { topology in
                let namespace = try await topology.namespace("ipvs")
                try await body(try IPVS(in: .named(namespace.name)), namespace)
            }
        }

        @Test func timeoutsAreShownByIpvsadm() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.set(Timeouts(tcpFinSeconds: 60))
                let shown = try await namespace.check("ipvsadm", "-L", "--timeout")
                #expect(shown == "Timeout (tcp tcpfin udp): 900 60 300\n")
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

        /// Answers for which the socket has no room are lost, and the kernel reports ENOBUFS. The outcome of the
        /// changes that were sent is unknown then; the table shows it. The client gets a new socket, which receives no
        /// late answers.
        @Test func answersThatAreLostLeaveTheOutcomeUnknownAndTheClientWorking() async throws {
            try await inNamespace { ipvs, _ in
                let before = try genericNetlinkSockets()
                _ = try await ipvs.info()
                let sockets = try genericNetlinkSockets().subtracting(before)
                let socket = try #require(sockets.first)
                // The kernel raises this to 2 KiB.
                var size: CInt = 1
                #expect(setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size)) == 0)

                let marks = (1...200).map { VirtualService.ID.firewallMark(FirewallMark(rawValue: $0)!, .ipv4) }
                let result = try await ipvs.perform(
                    [.createService(VirtualService(id: marks[0]))] + marks.dropFirst().map { .deleteService($0) })
                #expect(result.interruption?.code == .outcomeUnknown)
                #expect(result.interruption?.errno == .noBufferSpace)
                #expect(result[0] == .unknown && result[63] == .unknown)
                // The outcome is known for the answers that arrived.
                #expect(result.failures.first?.index == 1 && result.failures.first?.error.code == .serviceNotFound)
                #expect(result[64] == .notSent && result[199] == .notSent)

                let found = try await ipvs.services().map(\.id)
                #expect(found == [marks[0]], "it was done")
                let again = try await ipvs.perform(marks.dropFirst().map { .deleteService($0) })
                #expect(again.interruption == nil && again.failures.count == 199)
            }
        }

        /// For IPVS, root in a user namespace is not root, and the error says so.
        @Test func theErrorTellsWhetherAUserNamespaceIsWhy() async throws {
            let example = [try BuiltProducts.path("balance-port"), "10.1.0.1", "1080", "10.11.0.2:80"]
            let mapped = try await Shell.run(["unshare", "--user", "--map-root-user", "--net"] + example)
            #expect(mapped.status != 0)
            #expect(mapped.error.contains("errno 1") && mapped.error.contains("user namespace"), "\(mapped)")
            let nobody = try await Shell.run(["setpriv", "--reuid=65534", "--clear-groups"] + example)
            #expect(nobody.status != 0)
            #expect(nobody.error.contains("errno 1") && nobody.error.contains("as root"), "\(nobody)")
        }

        /// Only a program that enters another namespace needs CAP_SYS_ADMIN.
        @Test func inItsOwnNamespaceItTakesCAPNETADMINAndNoMore() async throws {
            try await inNamespace { ipvs, namespace in
                let example = [try BuiltProducts.path("balance-port"), "10.1.0.1", "1080", "10.11.0.2:80"]
                let limited = ["setpriv", "--bounding-set=-all,+net_admin"] + example
                let ran = try await namespace.run(limited)
                #expect(ran.status == 0, "\(ran)")
                let found = try await ipvs.status()
                #expect(found.map(\.destinations.count) == [1])
            }
        }

        /// The module is unloaded and loaded again with another family id: the client asks for the new id.
        @Test func theModuleMayBeLoadedAnewBetweenTwoCalls() async throws {
            let ipvs = try IPVS()
            try await ipvs.flush()
            try await unload()

            // The module cannot be loaded. The error says so, and does not report a missing scheduler or destination.
            let loader = try await Shell.check("sysctl", "-n", "kernel.modprobe").split(separator: "\n")[0]
            try await Shell.check("sysctl", "-qw", "kernel.modprobe=/bin/false")
            let error = await #expect(throws: IPVSError.self) {
                try await ipvs.create(VirtualService(id: Self.web))
            }
            #expect(error?.code == .unavailable)
            try await Shell.check("sysctl", "-qw", "kernel.modprobe=\(loader)")

            // Another family takes the id that has become free.
            try await Shell.check(
                "sh", "-c",
                """
                modprobe l2tp_netlink 2>/dev/null || modprobe macsec 2>/dev/null || modprobe team 2>/dev/null || true
                modprobe ip_vs
                """)
            try await ipvs.create(VirtualService(id: Self.web))
            let services = try await ipvs.services()
            #expect(services.map(\.id) == [Self.web])
            try await ipvs.flush()
        }

        private func unload() async throws {
            // Namespaces of other tests disappear with a delay, and hold the module until then.
            try await Shell.check(
                "sh", "-c",
                """
                for try in $(seq 100); do
                    for name in $(lsmod | awk '$1 ~ /^(ip_vs|xt_ipvs)/ { print $1 }'); do rmmod "$name" 2>/dev/null; done
                    lsmod | grep -q '^ip_vs ' || break
                    sleep 0.1
                done
                ! lsmod | grep '^ip_vs ' || exit 1
                """)
        }
    }
}
