import FakeKernel
import IPVSKit
import IPVSKitTesting
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// Places that serve, when this host refuses to change them.
@Suite struct StandingPlacesTests {
    private static let task = "/run/netns/t1"

    /// A node with a published task, which has no default route of its own.
    private static func node(at address: IPAddress? = "192.168.5.1") async throws -> FakeNode {
        let node = FakeNode()
        node.kernel.withState { $0.addTask(task, inode: 7) }
        let mesh = node.mesh(named: "a")
        _ = try await mesh.addNode("a", address: address)
        _ = try await mesh.attach(task, service: "web")
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web")
        return node
    }

    private static func mesh(_ node: FakeNode) -> Mesh { node.mesh(named: "a") }

    /// A repair that is refused costs a note. Nothing is taken down, and the next pass tries again.
    @Test func whatCannotBeRepairedGoesOnToServe() async throws {
        let node = try await Self.node()
        let whole = try await node.kernelText()
        node.kernel.withState { $0.namespaces["node"]!.interfaces["mesh_sbox"]!.addresses = [] }
        node.gate.refuse("the address 169.254.113.5/30", with: .permissionDenied)
        let change = try await Self.mesh(node).reconcile()
        #expect(change.refusedSteps == 1 && change.refusals.isEmpty)
        #expect(change.plan.notes.contains { $0.contains("169.254.113.5/30") }, "\(change.plan.notes)")
        #expect(change.ledger[.sandbox].refusal == nil)
        let sandbox = node.kernel.withState { $0.namespaces["ingress_sbox"] }
        #expect(try await sandbox?.ipvs.client.table().entries.count == 2, "the ports are still balanced")
        #expect(try await !Self.mesh(node).plan().isEmpty)
        node.gate.refuse(nil)
        _ = try await Self.mesh(node).reconcile()
        #expect(try await node.kernelText() == whole)
    }

    /// The bridge to the outer world is not on the way of published ports, which go on without it.
    @Test func aLinkThatCannotBeMadeAgainCostsANote() async throws {
        let node = try await Self.node()
        node.kernel.withState { $0.namespaces["node"]!.interfaces["mesh_gwbridge"] = nil }
        node.gate.refuse("mesh_gwbridge", with: .addressNotAvailable)
        for _ in 1...2 {
            let change = try await Self.mesh(node).reconcile()
            #expect(change.refusedSteps > 0 && change.refusals.isEmpty && change.ledger[.sandbox].refusal == nil)
            let sandbox = node.kernel.withState { $0.namespaces["ingress_sbox"] }
            #expect(try await sandbox?.ipvs.client.table().entries.count == 2, "the ports are still balanced")
            #expect(try await !Self.mesh(node).plan().isEmpty)
        }
        node.gate.refuse(nil)
        _ = try await Self.mesh(node).reconcile()
        #expect(try await Self.mesh(node).plan().isEmpty)
    }

    /// An edit that the kernel refuses is taken back if it concerns what serves already.
    @Test func anEditThatIsRefusedIsTakenBack() async throws {
        let node = try await Self.node()
        let (whole, before) = (try await node.kernelText(), try await node.specs.load())
        node.gate.refuse("is behind 192.168.5.2", with: .addressFamilyNotSupported)
        let error = await #expect(throws: PlaceError.self) {
            try await Self.mesh(node).change { spec, _ in
                try spec.addNode("b", address: "192.168.5.2")
                try spec.attach(TaskAttachmentRequest(namespace: "/run/netns/t2", node: "b"), service: "web")
            }
        }
        #expect("\(try #require(error))".contains("is behind 192.168.5.2"))
        #expect(try await node.specs.load().services == before.services)
        #expect(try await node.kernelText() == whole)
        #expect(try await Self.mesh(node).plan().isEmpty)
        // Of an edit that concerns something else, nothing is taken back.
        _ = try await Self.mesh(node).publish([(PortBinding(1081, .tcp), 80)], service: "web")
    }

    /// What was refused is tried once more when an edit builds it in another way.
    @Test func anEditOfWhatWasRefusedIsTried() async throws {
        let node = FakeNode()
        node.kernel.withState { state in
            state.addTask(Self.task, inode: 7)
            state.addTask("lost", inode: 8)
            var held = FakeNamespace.Interface(
                index: 99, kind: "vxlan", hardwareAddress: HardwareAddress([2, 0, 0, 0, 0, 9]))
            held.vxlan = VXLAN(identifier: 4096, port: 4789, local: "192.168.5.1")
            held.birthplace = "node"
            state.namespaces["lost"]!.interfaces["vxlan0"] = held
        }
        let mesh = Self.mesh(node)
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        let attached = try await mesh.attach(Self.task, service: "web")
        #expect(attached.change.ledger[.overlay(MeshNetwork.ingress)].refusal != nil)
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web")
        #expect(try node.ledgers.load()?[.overlay(MeshNetwork.ingress)].refusal != nil)
        #expect(try await mesh.plan().missing == [.overlay(MeshNetwork.ingress)])
        _ = try await mesh.change { spec, _ in spec.networks[MeshNetwork.ingress]!.port = 4790 }
        #expect(try node.ledgers.load()?[.overlay(MeshNetwork.ingress)].refusal == nil)
        let plan = try await mesh.plan()
        #expect(plan.isEmpty && plan.notes.isEmpty, "\(plan.notes)")
    }

    /// A VXLAN interface takes no peer of another family: one such node does not cost the others their network.
    @Test func aNodeOfAnotherFamilyIsLeftOut() async throws {
        let node = try await Self.node(at: nil)
        _ = try await Self.mesh(node).change { spec, _ in
            try spec.addNode("b", address: "fd05::2")
            try spec.attach(TaskAttachmentRequest(namespace: "/run/netns/t2", node: "b"), service: "web")
        }
        let plan = try await Self.mesh(node).plan()
        #expect(plan.isEmpty)
        #expect(plan.notes.contains { $0.contains("no network leads to node b at fd05::2") }, "\(plan.notes)")
        let vxlan = node.kernel.withState { $0.namespaces["mesh_ingress"]?.interfaces["vxlan0"] }
        #expect(try #require(vxlan).forwarding.isEmpty)
    }

    // MARK: The default routes of tasks

    private static func setDefault(_ addresses: [IPAddress], _ node: FakeNode) {
        node.kernel.withState { state in
            state.tasks[task]!.defaultAddresses = addresses
            for name in ["eth0", "eth1"] { state.namespaces[task]!.interfaces[name]?.routes = [] }
        }
    }

    /// The address to which a task translates what comes from the mesh, of IPv4.
    private static func translation(_ node: FakeNode) -> IPAddress? {
        let rules = node.kernel.withState { $0.namespaces[task]!.rules.values.first }
        guard case .task(let role) = rules?.role else { return nil }
        return role.destinations.first { $0.family == .ipv4 }
    }

    /// A task whose own address changes, comes or goes is joined as it is now.
    @Test func theWayOfATaskFollowsItsRoutes() async throws {
        let node = try await Self.node()
        let mesh = Self.mesh(node)
        func hasLeg() -> Bool {
            node.kernel.withState {
                $0.namespaces[Self.task]!.interfaces["meshgw"]?.addresses.contains { $0.address.family == .ipv4 }
                    ?? false
            }
        }
        #expect(hasLeg())
        Self.setDefault(["10.8.0.2"], node)
        _ = try await mesh.reconcile()
        #expect(!hasLeg() && Self.translation(node) == "10.8.0.2")
        Self.setDefault(["10.8.0.3"], node)
        _ = try await mesh.reconcile()
        #expect(Self.translation(node) == "10.8.0.3")
        #expect(try await mesh.plan().isEmpty)
        Self.setDefault([], node)
        _ = try await mesh.reconcile()
        #expect(hasLeg())
        #expect(try await mesh.plan().isEmpty)
    }

    /// A task that was attached with routes of its own, and has lost them, is told of, and can be attached again.
    @Test func aTaskThatLosesItsRoutesIsAttachedAgain() async throws {
        let node = FakeNode()
        node.kernel.withState { $0.addTask(Self.task, inode: 7, defaultAddresses: ["10.8.0.2", "fd08::2"]) }
        let mesh = Self.mesh(node)
        let attached = try await mesh.attach(Self.task, service: "web")
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web")
        Self.setDefault([], node)
        let notes = try await mesh.plan().notes
        #expect(notes.contains { $0.contains("has no default route of IPv4, and cannot answer clients") }, "\(notes)")
        let again = try await mesh.attach(Self.task, service: "web")
        #expect(again.tasks[0].address == attached.tasks[0].address)
        #expect(again.tasks[0].attachment?.gatewayAddresses.count == 2)
        #expect(again.tasks[0].attachment?.defaultAddresses == [])
        #expect(try await mesh.plan().notes == [])
        // There is nothing to attach again.
        await #expect(throws: InputError.self) { try await mesh.attach(Self.task, service: "web") }
    }
}
