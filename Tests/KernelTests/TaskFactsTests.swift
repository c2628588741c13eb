import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// What is read of a task's namespace, and of the node's networks.
    @Suite struct TaskFactsTests {
        @Test func theNamespaceAndItsDefaultRoutes() async throws {
            try await Topology.with { topology in
                let kernel = try LiveKernel(ipvs: try IPVS(), cache: topology.directory)
                let task = try await topology.namespace("task")
                let path = "/run/netns/\(task.name)"
                var status = stat()
                #expect(stat(path, &status) == 0)
                let inode = UInt64(status.st_ino)
                #expect(try await kernel.taskFacts(at: path) == TaskFacts(inode: inode, isBare: true), "no routes")

                try await task.ip([
                    "link add d0 type veth peer name d1", "link set d0 up", "link set d1 up",
                    "addr add 10.7.0.2/24 dev d0",
                ])
                try await task.ip(["addr add 10.7.0.3/24 dev d0", "addr add fd07::2/64 dev d0 nodad"])
                #expect(try await kernel.taskFacts(at: path).defaultAddresses == [], "no default route")
                try await task.ip(["route add default via 10.7.0.1"])
                #expect(try await kernel.taskFacts(at: path).defaultAddresses == ["10.7.0.2"], "the kernel's choice")
                try await task.ip(["route replace default via 10.7.0.1 src 10.7.0.3"])
                #expect(try await kernel.taskFacts(at: path).defaultAddresses == ["10.7.0.3"], "the route's choice")
                try await task.ip(["route add ::/0 via fd07::1"])
                #expect(try await kernel.taskFacts(at: path).defaultAddresses == ["10.7.0.3", "fd07::2"])
                // A route to one of the addresses that are asked about is not the default route.
                try await task.ip(["route add 192.0.2.0/24 dev d0 src 10.7.0.2"])
                #expect(
                    try await kernel.taskFacts(at: path)
                        == TaskFacts(inode: inode, defaultAddresses: ["10.7.0.3", "fd07::2"], isBare: true))
                try await task.ip(["route del default", "route del ::/0"])
                #expect(try await kernel.taskFacts(at: path) == TaskFacts(inode: inode, isBare: true))
                // The group of the mesh's interfaces.
                try await task.ip(["link set d1 group \(0x6D65_7368)"])
                #expect(try await kernel.taskFacts(at: path) == TaskFacts(inode: inode, isBare: false))
            }
        }

        @Test func whatIsNoNamespace() async throws {
            try await Topology.with { topology in
                let kernel = try LiveKernel(ipvs: try IPVS(), cache: topology.directory)
                for (path, words) in [
                    ("/run/netns/meshctl-none", "there is no network namespace at /run/netns/meshctl-none"),
                    ("/proc/0/ns/net", "there is no network namespace at /proc/0/ns/net"),
                    ("/proc/self/ns/net", "/proc/self/ns/net is this node's own network namespace"),
                    ("/etc/passwd", "/etc/passwd is no network namespace"),
                    ("/etc/passwd/x", "there is no network namespace at /etc/passwd/x"),
                ] {
                    let error = await #expect(throws: InputError.self) { try await kernel.taskFacts(at: path) }
                    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
                }
            }
        }

        @Test func theNetworksOfThisHost() async throws {
            try await Topology.with { topology in
                let kernel = try LiveKernel(ipvs: try IPVS(), cache: topology.directory)
                let networks = try await kernel.hostNetworks()
                #expect(!networks.prefixes.keys.contains { $0.contains("127.0.0.1") || $0.contains("8.8.8.8") })
                for address in try NodeAddresses.read()
                where !address.address.isLoopback && !address.address.isLinkLocal {
                    #expect(
                        networks.prefixes.contains { $0.key.contains(address.address) },
                        "\(address) is in none of \(networks.prefixes)")
                }
            }
        }

        /// A Swarm makes its VXLAN interfaces in the host's namespace, and moves them to namespaces of its networks.
        @Test func theTunnelsOfOthers() async throws {
            try await Topology.with { topology in
                let (node, overlay) = (try await topology.namespace("node"), try await topology.namespace("overlay"))
                try await overlay.ip(["link add br0 type bridge", "addr add 10.200.0.1/24 dev br0"])
                try await node.ip([
                    "link add vx0 type vxlan id 4096 dstport 4789 proxy",
                    "link add vx1 type vxlan id 99 dstport 8472 proxy", "link set vx0 netns \(overlay.name)",
                ])
                let elsewhere = try await topology.namespace("elsewhere")
                try await elsewhere.ip(["link add vx2 type vxlan id 7 dstport 4789 proxy"])
                func meshctl(_ arguments: String...) async throws -> Ran {
                    try await node.run(
                        [try BuiltProducts.path("meshctl")] + arguments,
                        environment: ["MESHCTL_STATE_DIR": topology.directory.string, "MESHCTL_NODE": "node"])
                }
                let attached = try await meshctl("task", "attach", "web", "--netns", "/run/netns/\(elsewhere.name)")
                #expect(attached.status == 0, "\(attached)")
                let inspected = try await meshctl("network", "inspect", "ingress")
                #expect(inspected.output.contains("4096") && inspected.output.contains("4790"), "\(inspected)")
                let refused = try await meshctl("network", "create", "back", "--subnet", "10.200.0.0/16")
                #expect(
                    refused.status == 65 && refused.error.contains("br0 in /run/netns/\(overlay.name)"), "\(refused)")
                let reset = try await meshctl("reset")
                #expect(reset.status == 0, "\(reset)")
            }
        }
    }
}
