import IPVSContract
import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// Compares IPVSKit with ipvsadm's view of the kernel, and tests namespaces and traffic, which only a kernel has.
    @Suite struct IPVSTests {
        private func inNamespace(_ body: (IPVS, TestNamespace) async throws -> Void) async throws {
            try await Topology.with { topology in
                let namespace = try await topology.namespace("ipvs")
                try await body(try IPVS(in: .named(namespace.name)), namespace)
            }
        }

        @Test func whatIsWrittenIsReadBackEqualAndShownByIpvsadm() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.perform(Table.changes(from: Table(), to: IPVSContract.table)).get()
                #expect(Table(try await ipvs.status()) == IPVSContract.table)
                let saved = try await namespace.check("ipvsadm", "-Sn")
                #expect(
                    Set(saved.split(separator: "\n").map { $0.trimmingSuffix(while: \.isWhitespace) })
                        == IPVSContract.savedTable)
            }
        }

        @Test func aNamespaceIsKnownByNamePathAndDescriptor() async throws {
            try await inNamespace { ipvs, namespace in
                try await ipvs.create(VirtualService(id: IPVSContract.mark4))
                let path = FilePath("/run/netns/\(namespace.name)")
                let descriptor = try FileDescriptor.open(path, .readOnly)
                let byDescriptor = try descriptor.closeAfter { try IPVS(in: .descriptor(descriptor)) }
                for other in [try IPVS(in: .named(namespace.name)), try IPVS(in: .path(path)), byDescriptor] {
                    #expect(try await other.services().map(\.id) == [IPVSContract.mark4])
                }
                #expect(try await IPVS().services().allSatisfy { $0.id != IPVSContract.mark4 })
                #expect(throws: IPVSError.self) { try IPVS(in: .named("nosuch")) }
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
