import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests.DetourTests {
    @Suite struct RefusalTests {
        static let foreign: [(there: String, undo: String, hint: String)] = [
            ("link add meshctl-lo type bridge", "link del meshctl-lo", "not meshctl's"),
            ("link add meshctl-lo type veth peer name other", "link del meshctl-lo", "not meshctl's"),
            (
                "addr add 169.254.113.1/24 dev v1", "addr del 169.254.113.1/24 dev v1",
                "169.254.113.1 is an address of v1"
            ),
            (
                "addr add 169.254.113.2/16 dev v1", "addr del 169.254.113.2/16 dev v1",
                "169.254.113.2 is an address of v1"
            ),
            ("route add 169.254.113.0/24 dev v1", "route del 169.254.113.0/24", "is reached by v1"),
            ("route add 169.254.113.3/32 dev v1", "route del 169.254.113.3/32", "169.254.113.3/32 is reached by v1"),
        ]

        @Test func leavesAloneWhatIsSomebodyElses() async throws {
            try await MeshHost.with(tasks: 0) { host in
                for (there, undo, hint) in Self.foreign {
                    try await host.node.ip([there])
                    let before = try await host.node.linkText()
                    #expect(try await host.node.detour.observe() == .absent, "\(there)")
                    let error = try await #require(throws: DetourError.self, "\(there)") {
                        try await host.node.detour.install()
                    }
                    #expect(error.code == .taken && "\(error)".contains(hint), "\(there): \(error)")
                    try await host.node.detour.remove()
                    let after = try await host.node.linkText()
                    #expect(after == before, "\(there)")
                    try await host.node.ip([undo])
                }
                // Each was taken back, so that nothing keeps it from being installed.
                try await host.node.detour.install()
            }
        }

        /// Hosts that configure link-local addresses have this route, and those with a default route one for all.
        @Test func mindsNoRouteToAllLinkLocalAddresses() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.node.ip(
                    ["addr add 169.254.7.7/16 dev v1", "route add default via \(host.clientLink.far4)"])
                try await host.node.detour.install()
                #expect(try await host.node.detour.observe() == .intact)
            }
        }

        /// The addresses are free, but what is sent to them goes elsewhere: known only once all is up.
        @Test func takesBackWhatDoesNotDo() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.node.ip(
                    ["rule add to 169.254.113.2 lookup 77", "route add default via \(host.clientLink.far4) table 77"])
                let before = try await host.node.linkText()
                let error = try await #require(throws: DetourError.self) { try await host.node.detour.install() }
                #expect(error.hint == "169.254.113.2 is not reached by meshctl-lo")
                let after = try await host.node.linkText()
                #expect(after == before)
            }
        }

        @Test func saysWhyThereCanBeNoName() async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                let before = try await node.linkText()
                let name = "/run/netns/\(try node.helper().name)"
                try await Shell.check("mkdir", name)
                let error = try await #require(throws: DetourError.self) { try await node.detour.install() }
                #expect(error.operation == "remove the namespace \(try node.helper().name)")
                try await Shell.check("rmdir", name)
                let after = try await node.linkText()
                #expect(after == before)
            }
        }

        /// `ip netns exec` runs a program in a mount namespace that ends with it; `nsenter` does not.
        @Test(arguments: [["ip", "netns", "exec", "NODE"], ["nsenter", "--net=/run/netns/NODE"]])
        func outlivesTheProgramThatInstalls(_ prefix: [String]) async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                let before = try await node.linkText()
                let probe = try BuiltProducts.path("DetourProbe")
                func run(_ verb: String) async throws -> String {
                    try await Shell.check(prefix.map { $0.replacing("NODE", with: node.name) } + [probe, verb])
                }
                #expect(try await run("observe") == "absent\n")
                #expect(try await run("install") == "intact\n")
                #expect(try await node.detour.observe() == .intact)
                #expect(try await run("observe") == "intact\n")
                // Whoever lists namespaces sees it, and can enter.
                #expect(try await node.helper().reaches(LoopbackDetour.nodeAddress))
                #expect(try await run("install") == "intact\n")
                #expect(try await run("remove") == "absent\n")
                let after = try await node.linkText()
                #expect(after == before)
            }
        }
    }
}
