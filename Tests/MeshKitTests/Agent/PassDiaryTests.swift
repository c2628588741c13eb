import FakeKernel
import IPVSKit
import Logging
import RuleKit
import Testing

@testable import MeshKit

/// What the agent logs: what was done, and why; each fault once.
@Suite struct PassDiaryTests {
    private struct Fault: Error, CustomStringConvertible { var description: String }

    private static func change(notes: [String] = [], _ edit: (inout MeshChange) -> Void = { _ in }) -> MeshChange {
        var change = MeshChange(
            spec: MeshSpec(), ledger: Ledger(node: "node1"), plan: Plan([], notes: notes), datapath: Datapath())
        edit(&change)
        return change
    }

    private var diary = PassDiary()

    private mutating func good(_ change: MeshChange, failures: Int = 0) -> [String] {
        diary.lines(for: change, because: .period, after: failures, lasting: .milliseconds(12)).map(Self.text)
            .filter { !$0.hasPrefix("debug pass") }
    }

    private mutating func failed(_ reason: String) -> [String] {
        diary.lines(for: Fault(description: reason), because: .retry, failures: 2, next: .seconds(1)).map(Self.text)
    }

    private static func text(_ line: PassDiary.Line) -> String {
        "\(line.level) \(line.message)"
            + line.fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    }

    @Test mutating func eachStepIsALineWithItsPlaceAndReason() async throws {
        let node = FakeNode()
        try await node.specs.update { spec in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        }
        let change = try await node.mesh().reconcile()
        let lines = diary.lines(for: change, because: .kernel([.node]), after: 0, lasting: .zero)
        let steps = change.plan.steps
        #expect(!steps.isEmpty && lines.filter { $0.level == .info }.map(\.message) == steps.map(\.action))
        #expect(lines.allSatisfy { $0.fields["cause"] == "kernel: node" })
        #expect(lines.contains { $0.fields["part"] == "IPVS" && $0.fields["place"] == "node" })
    }

    @Test mutating func aFailureIsLoggedOnceAndItsEndToo() {
        #expect(failed("no") == ["error no cause=retry failures=2 next_ms=1000"])
        #expect(failed("no") == ["debug no cause=retry failures=2 next_ms=1000"])
        #expect(failed("other")[0].hasPrefix("error other"))
        #expect(good(Self.change(), failures: 3) == ["notice the kernel holds what it should again failures=3"])
        #expect(good(Self.change()) == [])
        #expect(failed("no")[0].hasPrefix("error no"))
    }

    @Test mutating func aNoteIsLoggedWhenItComesAndWhenItGoes() {
        #expect(good(Self.change(notes: ["b", "a"])) == ["warning a", "warning b"])
        #expect(good(Self.change(notes: ["a", "b"])) == [])
        #expect(good(Self.change(notes: ["b", "c"])) == ["warning c", "info no longer: a"])
        #expect(good(Self.change()) == ["info no longer: b", "info no longer: c"])
    }

    /// The number of its connections changes all the time.
    @Test mutating func aRetiringPathIsLoggedWhenItBeginsAndEnds() {
        func retiring(_ connections: Int) -> MeshChange {
            Self.change {
                $0.plan.retiring = [
                    RetiringConnections(
                        place: .node, binding: PortBinding(1080, .tcp), destination: .init("10.0.0.11", port: 80),
                        connections: connections, seconds: 3, isDraining: false)
                ]
            }
        }
        #expect(
            good(retiring(3)) == [
                "info former path 1080/tcp -> 10.0.0.11:80 stays until its connections have ended"
            ])
        #expect(good(retiring(2)) == [])
        #expect(good(Self.change()) == ["info former path 1080/tcp -> 10.0.0.11:80 has ended"])
    }
}
