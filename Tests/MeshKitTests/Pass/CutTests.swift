import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// What becomes of an edit that is cut off after each of its operations, or of which one is refused.
@Suite struct CutTests {
    private static func node(for edit: Edit) async throws -> FakeNode {
        let node = FakeNode()
        try await edit.before(node.mesh(tool: edit.tool))
        node.gate.begin()
        return node
    }

    /// How many operations an edit takes.
    private static func operations(of edit: Edit) async throws -> [String] {
        let node = try await node(for: edit)
        _ = try await edit.act(node)
        return node.gate.operations
    }

    /// A process that dies leaves what the next pass of another one finishes, and nothing that nobody owns.
    @Test(arguments: Edit.all) func theNextPassConverges(edit: Edit) async throws {
        let operations = try await Self.operations(of: edit)
        try #require(operations.count >= 2)
        for cut in 0...operations.count {
            let node = try await Self.node(for: edit)
            node.gate.begin(cutAfter: cut)
            _ = try? await edit.act(node)
            node.gate.begin()
            let at = "cut after \(cut) of \(operations.count): \(cut > 0 ? operations[cut - 1] : "-")"
            _ = try await node.mesh().reconcile()
            try await node.expectConverged("\(edit.name), \(at)")
        }
    }

    /// A command that fails leaves documents and kernel as they were; one whose optional part fails goes on without; one
    /// that only goes forward is finished by the next pass.
    @Test(arguments: Edit.all) func aFailureLeavesAllAsItWas(edit: Edit) async throws {
        let operations = try await Self.operations(of: edit)
        for number in 1...operations.count {
            let node = try await Self.node(for: edit)
            let (spec, kernel) = (try await node.specs.load(), try await node.kernelText())
            node.gate.begin(failing: (number, Self.plausible(operations[number - 1])))
            let at = "\(edit.name), failing \(number) of \(operations.count): \(operations[number - 1])"
            do {
                let change = try await edit.act(node)
                node.gate.begin()
                // It succeeds without a word only if a second try of what failed has done all.
                if change.refusals.isEmpty, change.plan.notes.isEmpty {
                    try await node.expectConverged("\(at): it succeeded without a word")
                }
                // What was only noted is put right later.
                _ = try await node.mesh().reconcile()
                try await node.expectConverged(at)
            } catch {
                node.gate.begin()
                let isForward = edit.name == "reset" || edit.name == "the other tool"
                if isForward {
                    _ = try await node.mesh().reconcile()
                    try await node.expectConverged(at)
                    continue
                }
                var now = try await node.specs.load()
                now.generation = spec.generation
                #expect(now == spec, "\(at): the spec is another")
                let kernelNow = try await node.kernelText()
                #expect(kernelNow == kernel, "\(at): the kernel is another: \(kernelNow.difference(from: kernel))")
                try await node.expectConverged(at)
            }
        }
    }

    /// What the kernel says where such an operation goes wrong.
    private static func plausible(_ operation: String) -> Errno {
        if operation.hasPrefix("save") || operation.hasPrefix("swap") { return .noSpace }
        if operation.hasPrefix("write net/") { return .readOnlyFileSystem }
        if operation.hasPrefix("IPVS") { return .noMemory }
        return .notPermitted
    }
}

extension FakeNode {
    /// The kernel leads where the spec says; another pass finds nothing to do; and nothing is owned by nobody.
    func expectConverged(_ at: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let spec = try await specs.load()
        let plan = try await mesh().plan()
        #expect(plan.isEmpty, "\(at): \(plan.steps.map(\.description))", sourceLocation: sourceLocation)
        let saved = try ledgers.load()
        #expect(saved != nil || spec.services.isEmpty, "\(at): there is no ledger", sourceLocation: sourceLocation)
        let ledger = saved ?? Ledger(node: Ledger.hostName())
        try await expectArrivals(spec, ledger, at, sourceLocation)

        let namespaces = kernel.withState(\.namespaces)
        let marks = try await marksInKernel()
        #expect(
            marks.isSubset(of: ledger[.node].marks.keys), "\(at): services of nobody", sourceLocation: sourceLocation)
        #expect(Set(ledger[.node].marks.keys) == spec.marks, "\(at): marks of nothing", sourceLocation: sourceLocation)
        let own = namespaces.keys.filter { $0 != "node" }
        #expect(
            own.sorted() == [ledger[.loopback].namespace].compactMap(\.self), "\(at): namespaces of nobody",
            sourceLocation: sourceLocation)
        let tools = Set(namespaces.values.flatMap(\.rules.keys))
        #expect(
            tools.isSubset(of: [ledger[.node].rules, ledger[.node].formerRules].compactMap(\.self)),
            "\(at): rules of nobody", sourceLocation: sourceLocation)
        #expect(
            ledger[.node].staleFlows.isEmpty && ledger[.node].formerRules == nil, "\(at)",
            sourceLocation: sourceLocation)
    }

    private func expectArrivals(
        _ spec: MeshSpec, _ ledger: Ledger, _ at: String, _ sourceLocation: SourceLocation
    ) async throws {
        let model = try await PacketModel(kernel)
        let own = Set(kernel.withState(\.facts).addresses.map(\.address))
        let ways: [(address: IPAddress, client: IPAddress)] = [
            ("192.168.5.1", "192.168.5.2"), ("192.168.5.1", "203.0.113.9"), ("fd05::1", "fd05::2"),
        ]
        for port in [1080, 1081, 1082, 2000, 2009, 2010, 5353] as [UInt16] {
            for transport in [TransportProtocol.tcp, .udp] {
                for (address, client) in ways {
                    let found = model.arrivals(at: port, transport, of: address, from: client)
                    let wanted = spec.arrivals(
                        at: port, transport, of: address, from: client, on: ledger.node, own: own)
                    #expect(
                        found == wanted, "\(at): \(client) at \(address):\(port)/\(transport)",
                        sourceLocation: sourceLocation)
                }
                guard ledger[.loopback].refusal == nil else { continue }
                let loopback: [(AddressFamily, IPAddress, IPAddress)] = [
                    (.ipv4, "192.168.5.1", LoopbackDetour.helperAddress), (.ipv6, "fd05::1", "fd05::2"),
                ]
                // The detour's end is on no list; the node itself may always come.
                let isListed = spec.services.values.flatMap(\.ports).contains {
                    $0.listening.ports.contains(port) && !$0.allowed.isEmpty
                }
                if isListed { continue }
                for (family, address, client) in loopback {
                    let found = model.arrivalsFromLoopback(at: port, transport, family)
                    let wanted = spec.arrivals(
                        at: port, transport, of: address, from: client, on: ledger.node, own: own)
                    #expect(
                        found == wanted, "\(at): loopback \(family), port \(port)/\(transport)",
                        sourceLocation: sourceLocation)
                }
            }
        }
    }
}
