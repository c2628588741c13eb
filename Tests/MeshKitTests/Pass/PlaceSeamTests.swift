import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// A kind of place that nobody but this test knows: what it holds is put up, repaired and taken down all the same.
@Suite struct PlaceSeamTests {
    /// A namespace with a balancer of its own, joined to the node by a veth pair.
    private struct Annex: DatapathPart {
        static let id = PlaceID(rawValue: "annex")
        static let place = Place(id: id, existence: .own(name: "mesh-annex"), isOptional: true, rank: 2)
        static let setting = Sysctl(rawValue: "net/ipv4/conf/all/send_redirects")

        static var link: Link {
            var (inner, outer) = (
                LinkEnd("inner", in: id, hardwareAddress: HardwareAddress(derivedFrom: "10.77.0.2")),
                LinkEnd("outer", in: .node, hardwareAddress: HardwareAddress(derivedFrom: "10.77.0.1"))
            )
            inner.addresses = [InterfacePrefix("10.77.0.2", length: 24)]
            inner.routes = [Route(to: "10.0.0.0/8", via: "10.77.0.1")]
            inner.neighbours = ["10.77.0.1": outer.hardwareAddress]
            outer.addresses = [InterfacePrefix("10.77.0.1", length: 24)]
            return .pair(inner, outer, for: id, alias: "meshctl: annex")
        }

        func outline(_ request: MeshRequest, into outline: inout Outline) {
            outline.places[Self.id] = Self.place
            outline.balancers.insert(Self.id)
            outline.roles[Self.id] = .balancer(detour: nil)
            outline.sysctls[Self.id] = Sysctl.ofBalancers.union([Self.setting])
            outline.links.append(Self.link)
        }

        func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
            guard request.publishesAnything else { return }
            datapath.places[Self.id] = Self.place
            datapath.links.append(Self.link)
            var content = PlaceContent()
            content.sysctls = [Self.setting: "0", .ipv4Forwarding: "1"]
            content.tcpTimeoutSeconds = 1000
            content.ipvs = Table([
                Table.Entry(
                    VirtualService(id: .firewallMark(0x500, .ipv4)), destinations: [Destination("10.77.9.9", port: 80)])
            ])
            content.rules.ports[PortBinding(80, .tcp)] = PortRule(mark: 0x500)
            content.rules.tasks = ["10.77.9.9"]
            datapath[Self.id] = content
        }
    }

    private static let compiler = Compiler([HostBalancer(), LoopbackDetour(), Annex()])

    @Test(arguments: RuleTool.allCases) func aPlaceOfItsOwnKindIsPutUpRepairedAndTakenDown(tool: RuleTool) async throws
    {
        let node = FakeNode()
        let before = try await node.kernelText()
        let mesh = node.mesh(tool: tool, compiler: Self.compiler)
        _ = try await mesh.change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx", avoiding: view.takenMarks)
        }
        #expect(try await mesh.plan().steps.map(\.description) == [])
        let standing = try await node.kernelText()
        for (name, damage) in Self.damages {
            try await damage(node)
            let plan = try await mesh.plan()
            #expect(!plan.isEmpty, "\(name) is not named")
            _ = try await mesh.reconcile()
            let repaired = try await node.kernelText()
            #expect(repaired == standing, "\(name): \(repaired.difference(from: standing))")
        }
        _ = try await mesh.reset()
        let after = try await node.kernelText()
        #expect(after == before, "\(after.difference(from: before))")
    }

    private static let damages: [(String, @Sendable (FakeNode) async throws -> Void)] = [
        ("its setting", { $0.kernel.withState { $0.namespaces["mesh-annex"]!.sysctls[Annex.setting] = "1" } }),
        (
            "its interface is down",
            { $0.kernel.withState { $0.namespaces["mesh-annex"]!.interfaces["inner"]!.isUp = false } }
        ),
        ("its address", { $0.kernel.withState { $0.namespaces["mesh-annex"]!.interfaces["inner"]!.addresses = [] } }),
        ("its route", { $0.kernel.withState { $0.namespaces["mesh-annex"]!.interfaces["inner"]!.routes = [] } }),
        (
            "its neighbour",
            { $0.kernel.withState { $0.namespaces["mesh-annex"]!.interfaces["inner"]!.neighbours = [:] } }
        ),
        ("its alias", { $0.kernel.withState { $0.namespaces["mesh-annex"]!.interfaces["inner"]!.alias = nil } }),
        ("the end on the node", { $0.kernel.withState { $0.namespaces["node"]!.interfaces["outer"]!.addresses = [] } }),
        ("its link", { node in node.kernel.withState { $0.delete("outer", in: "node") } }),
        ("its rules", { $0.kernel.withState { $0.namespaces["mesh-annex"]!.rules = [:] } }),
        (
            "its service",
            { node in
                let annex = node.kernel.withState { $0.namespaces["mesh-annex"]! }
                try await annex.client.delete(.firewallMark(0x500, .ipv4))
            }
        ),
        (
            "its timeout",
            { node in
                let annex = node.kernel.withState { $0.namespaces["mesh-annex"]! }
                try await annex.client.set(Timeouts(tcpSeconds: 60))
            }
        ),
        (
            "its namespace",
            { node in
                node.kernel.withState { state in
                    state.delete("inner", in: "mesh-annex")
                    state.namespaces["mesh-annex"] = nil
                }
            }
        ),
    ]
}
