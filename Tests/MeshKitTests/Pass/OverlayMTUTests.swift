import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The greatest length of a packet on overlay networks, and who has to know it.
@Suite struct OverlayMTUTests {
    @Test func itIsWhatTheWayToTheOtherNodesLeaves() throws {
        for (address, underlay, mtu) in [
            ("192.168.5.1", nil, 1450), ("fd05::1", nil, 1430), ("192.168.5.1", 9000, 8950), ("fd05::1", 1400, 1330),
            ("192.168.5.1", 1300, 1280), ("192.168.5.1", 20, 1280),
        ] as [(IPAddress, UInt32?, UInt32)] {
            var spec = MeshSpec()
            try spec.addNode("node1", address: address)
            var request = MeshRequest(spec: spec, ledger: Ledger(node: "node1", id: "0"))
            request.underlayMTU = underlay
            #expect(request.overlayMTU == mtu)
        }
    }

    /// The sandbox tells the ends of each connection, and is told anew when the way to the other nodes changes.
    @Test(arguments: RuleTool.allCases) func theSandboxKnowsIt(tool: RuleTool) async throws {
        let node = FakeNode()
        node.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        let mesh = node.mesh(tool: tool, named: "a")
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        _ = try await mesh.addNode("b", address: "192.168.5.2")
        _ = try await mesh.attach("/run/netns/t1", service: "web")
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web", force: true)
        func mtus() -> [String: UInt32] {
            node.kernel.withState { state in
                state.namespaces.compactMapValues { namespace in
                    guard case .balancer(_, _, _, let mtu)? = namespace.rules[tool]?.role else { return nil }
                    return mtu
                }
            }
        }
        func overlay() -> UInt32? {
            node.kernel.withState { $0.namespaces["ingress_sbox"]?.interfaces["eth0"]?.mtu }
        }
        #expect(mtus() == ["ingress_sbox": 1450], "the node's own rules need none")
        #expect(overlay() == 1450)
        for underlay in [1400, 9000, nil] as [UInt32?] {
            #expect(try await mesh.plan().isEmpty)
            node.kernel.withState { $0.facts.underlayMTU = underlay }
            let steps = try await mesh.plan().steps.map(\.action)
            #expect(steps.contains { $0.contains("install the mesh's rules, in ingress_sbox") }, "\(steps)")
            _ = try await mesh.reconcile()
            let mtu = (underlay ?? 1500) - 50
            #expect(mtus() == ["ingress_sbox": mtu])
            #expect(overlay() == mtu)
        }
        #expect(try await mesh.plan().isEmpty)
    }
}
