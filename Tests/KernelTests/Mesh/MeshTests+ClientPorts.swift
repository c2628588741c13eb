import Conntrack
import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.MeshTests {
    /// One client has 500 connections at a time from the same 500 ports to each of three nodes. All are answered, and to
    /// the tasks each comes from the client's own address. Zones keep them apart if the kernel has them; so do, with fewer
    /// connections for the sake of time, source ports of each node's own.
    @Test(arguments: RuleTool.tested, [true, false])
    func clientPortsMayBeTheSameOnSeveralNodes(tool: RuleTool, kernelsAreKnown: Bool) async throws {
        let hasZones = try await Conntrack().hasZones()
        let keepsPorts = kernelsAreKnown && hasZones
        try await MeshNodes.with(3, rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2, 3])
            defer { tasks.stop() }
            var spec = try mesh.spec()
            for node in mesh.nodes { spec.nodes[node.name]!.hasZones = keepsPorts }
            try await mesh.publish(tasks, sourceIP: kernelsAreKnown ? .keep : .auto, in: &spec)
            try await mesh.apply(spec)
            try await mesh.expectNothingPlanned()
            let sandbox = TestNamespace(name: "ingress_sbox-node2")
            let rules = try await sandbox.check(
                tool == .nftables ? ["nft", "list", "table", "inet", "meshctl"] : ["iptables-save", "-t", "nat"])
            // The second of four shares.
            #expect(rules.contains("17152-33279") != keepsPorts, "\(rules)")
            var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            for transport in try await publishableTransports() {
                let count = UInt16(kernelsAreKnown && transport != .sctp ? 500 : 100)
                for (family, client) in MeshNodes.clientAddresses.enumerated() {
                    let addresses = mesh.nodes.map { $0.addresses[family] }
                    let answers = try await mesh.client.thread {
                        // The sockets stay open until all have answered.
                        var sockets: [TrafficSocket] = []
                        var answers: [String] = []
                        for port in 20000..<20000 + count {
                            for address in addresses {
                                let socket = try TrafficSocket(transport, client.family)
                                try socket.bind(port: port)
                                if transport != .udp { socket.endAbruptly() }
                                try socket.connect(address, port: 1080)
                                try socket.send("?")
                                answers.append((try? socket.receive()) ?? "none")
                                sockets.append(socket)
                            }
                        }
                        return answers
                    }
                    let seen = counted(answers.map { String($0.drop { $0 != " " }) })
                    #expect(seen == [" \(client) 80": 3 * Int(count)], "\(transport): \(seen)")
                }
            }
        }
    }
}
