import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// Settings that a pass writes, and what `reset` makes of them.
@Suite struct SettingsTests {
    private static func node(_ prepare: (inout FakeNamespace) -> Void = { _ in }) -> FakeNode {
        let node = FakeNode()
        node.kernel.withState { prepare(&$0.namespaces["node"]!) }
        return node
    }

    private static func value(_ sysctl: Sysctl, _ node: FakeNode) -> String? {
        node.kernel.withState { $0.namespaces["node"]!.sysctls[sysctl] }
    }

    /// Writing the switch for all overwrites that of each interface, in both directions.
    @Test(arguments: AddressFamily.allCases) func anInterfaceThatForwardedGoesOnForwarding(family: AddressFamily)
        async throws
    {
        let node = Self.node { $0.sysctls[.forwarding("br0", family)] = "1" }
        let before = try await node.kernelText()
        try await Edit.standing(node.mesh())
        #expect(Self.value(.forwarding("up0", family), node) == "1")
        _ = try await node.mesh().reset()
        let after = try await node.kernelText()
        #expect(after == before, "\(after.difference(from: before))")
    }

    /// What somebody else writes after us is theirs.
    @Test func aValueThatIsAnothersByNowStays() async throws {
        let node = Self.node()
        try await Edit.standing(node.mesh())
        node.kernel.withState { $0.namespaces["node"]!.sysctls[.expireNoDestination] = "7" }
        _ = try await node.mesh().reset()
        #expect(Self.value(.expireNoDestination, node) == "7")
        #expect(Self.value(.ipvsConntrack, node) == "0")
    }

    @Test func forwardingStaysOnForWhoCameSince() async throws {
        let node = Self.node()
        node.kernel.withState { $0.routers = ["the bridge br0"] }
        try await Edit.standing(node.mesh())
        node.kernel.withState { $0.routers = ["the bridge br0", "the bridge docker0"] }
        let change = try await node.mesh().reset()
        #expect(Self.value(.ipv4Forwarding, node) == "1")
        #expect(
            change.plan.notes.contains { $0.contains("docker0") && $0.contains("ip_forward") }, "\(change.plan.notes)")
        #expect(Self.value(.ipvsConntrack, node) == "0")
    }

    /// Somebody may have come since.
    @Test func forwardingStaysOnWhileItIsUnknownWhoIsThere() async throws {
        let node = Self.node()
        try await Edit.standing(node.mesh())
        node.gate.hide("who needs forwarding")
        let change = try await node.mesh().reset()
        #expect(Self.value(.ipv4Forwarding, node) == "1")
        #expect(change.plan.notes.contains { $0.contains("an interface that could not be read") })
        #expect(Self.value(.ipvsConntrack, node) == "0")
    }

    /// Each family has its own switch, and its own moment.
    @Test func whoCameBetweenTheFamiliesKeepsTheFirstOne() async throws {
        let node = Self.node()
        _ = try await node.mesh().change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx", avoiding: view.takenMarks)
        }
        node.kernel.withState { $0.routers = ["the bridge docker0"] }
        _ = try await node.mesh().change { spec, _ in
            try spec.addTask(SpecTask(address: "fd00::11"), service: "nginx")
        }
        _ = try await node.mesh().reset()
        #expect(Self.value(.ipv4Forwarding, node) == "1")
        #expect(Self.value(.ipv6Forwarding, node) == "0")
    }

    /// A ledger that was converted does not say who was there.
    @Test func unknownIsNotNobody() async throws {
        let node = Self.node()
        try await Edit.standing(node.mesh())
        var ledger = try #require(try node.ledgers.load())
        ledger[.node].routers = [:]
        try node.ledgers.save(ledger, replacing: ledger.generation)
        node.kernel.withState { $0.routers = ["the bridge br0"] }
        _ = try await node.mesh().reset()
        #expect(Self.value(.ipv4Forwarding, node) == "0")
    }

    @Test func forwardingGoesWhereNobodyCame() async throws {
        let node = Self.node()
        node.kernel.withState { $0.routers = ["the bridge br0"] }
        try await Edit.standing(node.mesh())
        _ = try await node.mesh().reset()
        #expect(Self.value(.ipv4Forwarding, node) == "0")
    }

    /// It only helps: nobody is kept from publishing by it, and it is not claimed.
    @Test func reservedPortsThatCannotBeWrittenCostANote() async throws {
        let node = Self.node()
        let port = PortBinding(40000, .tcp)
        // The first write of all is the one that is refused, found by its words.
        for number in 1...60 {
            let node = Self.node()
            node.gate.begin(failing: (number, .readOnlyFileSystem))
            let change = try? await node.mesh().change { spec, view in
                try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
                try spec.publish(port, target: 80, service: "nginx", avoiding: view.takenMarks)
            }
            guard node.gate.operations.count >= number,
                node.gate.operations[number - 1] == "write \(Sysctl.reservedPorts)"
            else { continue }
            let made = try #require(change)
            #expect(made.plan.notes.contains { $0.contains("ip_local_reserved_ports") }, "\(made.plan.notes)")
            #expect(made.refusedSteps == 1 && made.ledger[.node].reservedPorts == [])
            let model = try await PacketModel(node.kernel)
            #expect(!model.arrivals(at: 40000, .tcp, of: "192.168.5.1", from: "192.168.5.2").isEmpty)
            return
        }
        Issue.record("nobody wrote \(Sysctl.reservedPorts): \(node.gate.operations)")
    }

    /// A plain pass fails once, with one reason, and says how far it got.
    @Test func aPassThatFailsSaysWhatIsLeft() async throws {
        let node = Self.node()
        try await Edit.standing(node.mesh())
        let table = node.kernel.withState { $0.namespaces["node"]! }.client
        try await table.delete(.firewallMark(0x100, .ipv4))
        try await table.delete(.firewallMark(0x101, .ipv4))
        node.kernel.withState { $0.namespaces["node"]!.sysctls[.expireNoDestination] = "0" }
        node.gate.begin(failing: (3, .noMemory))
        let error = await #expect(throws: IncompletePassError.self) { _ = try await node.mesh().reconcile() }
        #expect(error?.done == 1 && error.map { $0.left > 1 } == true, "\(String(describing: error))")
        node.gate.begin()
        _ = try await node.mesh().reconcile()
        try await node.expectConverged("after a pass that failed")
    }

    /// The task of the caller ends; the pass does not.
    @Test func aPassThatHasBegunIsFinishedWhenItsTaskIsCancelled() async throws {
        let node = Self.node()
        let task = Task {
            try await node.mesh().change { spec, view in
                try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
                try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx", avoiding: view.takenMarks)
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        _ = await task.result
        try await node.expectConverged("after a cancelled publish")
        #expect(try await node.specs.load().publisher(of: PortBinding(1080, .tcp)) != nil)
    }

    @Test func routerAdvertisementsAreMindedByInterfacesThatLeadOut() async throws {
        let node = Self.node()
        try await Edit.standing(node.mesh())
        #expect(Self.value(.acceptRouterAdvertisements("up0"), node) == "2")
        #expect(Self.value(.acceptRouterAdvertisements("br0"), node) == "1")
        // One that comes later has no route yet either.
        node.kernel.withState { state in
            state.namespaces["node"]!.interfaces["up1"] = FakeNamespace.Interface(
                index: 99, hardwareAddress: HardwareAddress([2, 0, 0, 0, 0, 99]))
            state.namespaces["node"]!.add(settingsOf: "up1")
        }
        let plan = try await node.mesh().plan()
        #expect(plan.steps.map(\.description) == ["sysctl  net/ipv6/conf/up1/accept_ra = 2 (is 1)"])
    }
}
