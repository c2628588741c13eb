import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// What is ours, by the ledger alone, and what is not.
@Suite struct OwnershipTests {
    private static let web = PortBinding(1080, .tcp)

    private static func standing() async throws -> FakeNode {
        let node = FakeNode()
        try await Edit.standing(node.mesh())
        return node
    }

    /// What sudo makes of `MESHCTL_STATE_DIR`: the second folder's command would take the first one's ports down.
    @Test(arguments: RuleTool.allCases, [true, false])
    func aSecondFolderIsRefused(tool: RuleTool, otherTool: Bool) async throws {
        let node = FakeNode()
        try await Edit.standing(node.mesh(tool: tool))
        let kernel = try await node.kernelText()
        let second = Mesh(
            store: FakeSpecStore(gate: node.gate),
            ledger: FakeLedgerStore(gate: node.gate, folder: "/home/admin/meshctl"),
            kernel: node.kernel, tool: otherTool ? (tool == .nftables ? .iptables : .nftables) : tool)
        for command in [
            { _ = try await second.reconcile() }, { _ = try await second.reset() }, { _ = try await second.plan() },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: RuleOwnerError.self) { try await command() }
            #expect(error?.description.contains("/var/lib/meshctl") == true)
            #expect(error?.description.contains("/home/admin/meshctl") == true)
        }
        #expect(try await node.kernelText() == kernel)
    }

    /// Rules that cannot be read may be those of another folder.
    @Test(arguments: RuleTool.allCases)
    func aSecondFolderIsRefusedWhileTheOwnerIsUnknown(tool: RuleTool) async throws {
        let node = FakeNode()
        try await Edit.standing(node.mesh(tool: tool))
        let kernel = try await node.kernelText()
        node.gate.hide("the owner of the rules of \(tool.rawValue)")
        let choices: [RuleTool?] = [tool == .nftables ? .iptables : .nftables, nil]
        for choice in choices {
            let second = Mesh(
                store: FakeSpecStore(gate: node.gate),
                ledger: FakeLedgerStore(gate: node.gate, folder: "/home/admin/meshctl"), kernel: node.kernel,
                tool: choice)
            await #expect(throws: RuleError.self) { _ = try await second.reconcile() }
        }
        #expect(try await node.kernelText() == kernel)
    }

    @Test func aToolThatIsNotThereHasNoRules() async throws {
        let node = FakeNode()
        node.gate.hide("the owner of the rules", with: .noSuchFileOrDirectory)
        try await Edit.standing(node.mesh())
        try await node.expectConverged("with one tool")
    }

    /// The documents of a folder were lost: what it put up is known by the folder, and goes with `reset`.
    @Test func aFolderThatLostItsDocumentsRecovers() async throws {
        let node = try await Self.standing()
        let again = Mesh(
            store: FakeSpecStore(gate: node.gate), ledger: FakeLedgerStore(gate: node.gate), kernel: node.kernel)
        _ = try await again.reset()
        let rules = node.kernel.withState { $0.namespaces["node"]!.rules }
        #expect(rules.isEmpty)
        // Services are ours by the ledger alone.
        #expect(try await node.marksInKernel() == [0x100, 0x101])
    }

    /// A mesh that was lost is not begun anew by chance: that would take its ports down.
    @Test(arguments: [true, false]) func noEditBeginsAnotherMesh(isLedgerLost: Bool) async throws {
        let node = try await Self.standing()
        let kernel = try await node.kernelText()
        let again = Mesh(
            store: FakeSpecStore(gate: node.gate),
            ledger: isLedgerLost ? FakeLedgerStore(gate: node.gate) : node.ledgers, kernel: node.kernel)
        let error = await #expect(throws: LostMeshError.self) {
            _ = try await again.change { spec, _ in try spec.createService("other") }
        }
        #expect(error?.description.contains("`meshctl reset --all`") == true)
        #expect(try await again.plan().notes.first == error?.description)
        #expect(try await node.kernelText() == kernel)
        // Whoever says so takes them down.
        _ = try await again.reconcile()
        _ = try await again.change { spec, _ in try spec.createService("other") }
    }

    /// Rules that an earlier version put up do not say whose they are.
    @Test func rulesOfAnEarlierVersionAreTakenOver() async throws {
        let node = try await Self.standing()
        node.kernel.withState { $0.namespaces["node"]!.rules[.nftables]!.owner = nil }
        let plan = try await node.mesh().plan()
        #expect(
            plan.steps.map(\.description) == [
                "rules   nftables: note in the rules that they belong to the state in /var/lib/meshctl"
            ])
        _ = try await node.mesh().reconcile()
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// After a restored backup, or another node's edit: the mark is in no document but the ledger.
    @Test func aMarkThatVanishesFromTheSpecIsStillOurs() async throws {
        let node = try await Self.standing()
        try await node.specs.update { try $0.unpublish(Self.web) }
        let change = try await node.mesh().reconcile()
        #expect(change.plan.steps.map(\.description).contains("IPVS    delete service FWM 256"))
        #expect(try await node.marksInKernel() == [0x101])
    }

    /// The claims are in the ledger already, so that it says more than there is until the next pass.
    @Test func aLedgerThatCannotBeWrittenAfterAChangeCostsANote() async throws {
        let rehearsal = try await Self.standing()
        rehearsal.gate.begin()
        _ = try await rehearsal.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        let operations = rehearsal.gate.operations
        try #require(operations.last == "save the ledger")
        let node = try await Self.standing()
        node.gate.begin(failing: (operations.count, .noSpace))
        let change = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        #expect(
            change.plan.notes.contains { $0.hasPrefix("the change was made, but what it left could not be written") },
            "\(change.plan.notes)")
        node.gate.begin()
        _ = try await node.mesh().reconcile()
        try await node.expectConverged("after the next pass")
    }

    /// Somebody else made a service with a mark that was allocated on another node.
    @Test func aPortWhoseMarkIsSomebodyElsesIsNotServed() async throws {
        let node = FakeNode()
        try await node.kernel.withState { $0.namespaces["node"]! }.client
            .create(VirtualService(id: .firewallMark(0x100, .ipv4), scheduler: "wlc"))
        try await node.specs.update { spec in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(Self.web, target: 80, service: "nginx")
            try spec.publish(PortBinding(1081, .tcp), target: 80, service: "nginx")
        }
        let plan = try await node.mesh().plan()
        #expect(plan.notes.first?.hasPrefix("1080/tcp is not served") == true)
        _ = try await node.mesh().reconcile()
        let table = try await node.mesh().observe().view.observed[.node].table
        #expect(table.entries[.firewallMark(0x100, .ipv4)]?.service.scheduler == "wlc")
        let model = try await PacketModel(node.kernel)
        #expect(model.arrivals(at: 1080, .tcp, of: "192.168.5.1", from: "192.168.5.2").isEmpty)
        #expect(!model.arrivals(at: 1081, .tcp, of: "192.168.5.1", from: "192.168.5.2").isEmpty)
        #expect(try #require(try node.ledgers.load())[.node].marks.keys.sorted() == [0x101])
    }

    /// Somebody gave a namespace of theirs the name that ours would have.
    @Test func aNamespaceOfSomebodyElsesIsLeftAlone() async throws {
        let node = FakeNode()
        let name = LoopbackDetour.namespaceName(nodeInode: 4711)
        node.kernel.withState { state in
            var theirs = FakeKernel().withState { $0.namespaces["node"]! }
            theirs.interfaces["precious"] = FakeNamespace.Interface(
                index: 5, kind: "dummy", hardwareAddress: HardwareAddress([2, 0, 0, 0, 0, 5]))
            state.namespaces[name] = theirs
        }
        let plan = try await {
            try await Edit.standing(node.mesh()); return try await node.mesh().plan()
        }()
        #expect(plan.isEmpty && plan.notes.contains { $0.contains(name) }, "\(plan.notes)")
        _ = try await node.mesh().reset()
        #expect(node.kernel.withState { $0.namespaces[name]?.interfaces["precious"] } != nil)
    }

    // MARK: One namespace of one boot

    @Test func theLedgerOfAnotherBootIsVoid() async throws {
        let node = try await Self.standing()
        let id = try #require(try node.ledgers.load()).id
        node.kernel.withState { state in
            let kernel = FakeKernel()
            state.namespaces = kernel.withState(\.namespaces)
            state.identity.bootID = "b008"
            // By now somebody else switches it on at boot.
            state.namespaces["node"]!.write("1", to: .ipv4Forwarding)
        }
        _ = try await node.mesh().reconcile()
        let ledger = try #require(try node.ledgers.load())
        #expect(ledger.home?.bootID == "b008" && ledger.id != id)
        #expect(ledger[.node].settings[.ipv4Forwarding] == nil)
        try await node.expectConverged("after a boot")
        _ = try await node.mesh().reset()
        #expect(node.kernel.withState { $0.namespaces["node"]!.sysctls[.ipv4Forwarding] } == "1")
    }

    @Test func theLedgerOfANamespaceThatEndedIsVoid() async throws {
        let node = try await Self.standing()
        node.kernel.withState { state in
            state.namespaces = FakeKernel().withState(\.namespaces)
            state.identity = NamespaceIdentity(bootID: "b007", inode: 4712, cookie: 2)
        }
        _ = try await node.mesh().reconcile()
        try await node.expectConverged("in another namespace")
    }

    @Test func theLedgerOfANamespaceThatLivesIsRefused() async throws {
        let node = try await Self.standing()
        node.kernel.withState { state in
            state.identity = NamespaceIdentity(bootID: "b007", inode: 4712, cookie: 2)
            state.whereabouts = "the namespace of process 4711"
        }
        let error = await #expect(throws: LedgerError.self) { _ = try await node.mesh().reconcile() }
        #expect(error?.description.contains("4711") == true && error?.description.contains("4712") == true)
    }

    /// Whether the namespace lives is unknown, so nothing that the ledger records is forgotten.
    @Test func theLedgerOfANamespaceThatCannotBeLookedForStays() async throws {
        let node = try await Self.standing()
        let ledger = try node.ledgers.load()
        node.kernel.withState { $0.identity = NamespaceIdentity(bootID: "b007", inode: 4712, cookie: 2) }
        node.gate.hide("the namespace of the ledger", with: .permissionDenied)
        await #expect(throws: PlaceError.self) { _ = try await node.mesh().reconcile() }
        #expect(try node.ledgers.load() == ledger)
    }
}
