import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Passes with nothing to do, one after the other by the same process, as an agent runs them.
@Suite struct IdlePassTests {
    @Test func whatIsDamagedAfterManyIdlePassesIsRepaired() async throws {
        let node = FakeNode()
        let mesh = node.mesh()
        try await Edit.standing(mesh)
        for _ in 1...3 {
            let change = try await mesh.reconcile()
            #expect(change.plan.isEmpty && !change.didChange && change.readingTime > .zero)
        }
        node.kernel.withState { $0.namespaces["node"]!.sysctls[.expireNoDestination] = "0" }
        let repair = try await mesh.reconcile()
        #expect(repair.didChange && repair.plan.steps.count == 1, "\(repair.plan)")
        let last = try await mesh.reconcile()
        #expect(!last.didChange)
    }

    /// A pass is only repeated while everything that it depends on is the same.
    @Test func onlyTheSameIsRepeated() async throws {
        let node = FakeNode()
        let mesh = node.mesh()
        try await Edit.standing(mesh)
        let spec = try await mesh.store.load()
        let ledger = try #require(try node.ledgers.load())
        let found = try await mesh.observer.observe(mesh.request(spec, ledger), tool: .nftables)
        let change = try await mesh.reconcile()
        let pass = try #require(IdlePass(over: found, spec, ledger, .nftables, resultingIn: change))
        #expect(pass.repeated(over: found, spec, ledger, .nftables) != nil)
        #expect(pass.repeated(over: found, spec, ledger, .iptables) == nil)

        var other = found
        other[.node].sysctls[.expireNoDestination] = .known("0")
        #expect(pass.repeated(over: other, spec, ledger, .nftables) == nil)
        other = found
        other.node.gone = [.sandbox]
        #expect(pass.repeated(over: other, spec, ledger, .nftables) == nil)
        var edited = spec
        edited.services = [:]
        #expect(pass.repeated(over: found, edited, ledger, .nftables) == nil)
        var marked = ledger
        marked[.node].marks = [:]
        #expect(pass.repeated(over: found, spec, marked, .nftables) == nil)
    }

    /// The connections of a retiring path end with time, which is no part of what was observed.
    @Test func aPassWhileConnectionsAreAwaitedIsNotRepeated() async throws {
        let node = FakeNode()
        let mesh = node.mesh()
        try await Edit.standing(mesh)
        let spec = try await mesh.store.load()
        var ledger = try #require(try node.ledgers.load())
        let change = try await mesh.reconcile()
        ledger[.node].retiring = [
            RetiringPath(mark: 0x100, binding: PortBinding(1080, .tcp), destinations: [], since: .init(nanoseconds: 1))
        ]
        #expect(IdlePass(over: ObservedDatapath(), spec, ledger, .nftables, resultingIn: change) == nil)
    }
}
