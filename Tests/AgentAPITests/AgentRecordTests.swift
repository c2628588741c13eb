import MeshKit
import Testing

@testable import AgentAPI

/// What an agent's passes add up to.
@Suite struct AgentRecordTests {
    private let begin = ContinuousClock.now

    private func pass(
        _ cause: String = "period", isRepair: Bool = true, steps: Int = 0, error: String? = nil,
        lasting duration: Duration = .milliseconds(20), endingAfter seconds: Int = 1
    ) -> PassRecord {
        PassRecord(
            cause: cause, isRepair: isRepair, duration: duration, steps: steps, error: error,
            end: begin + .seconds(seconds))
    }

    @Test func passesAreCountedByCauseAndOutcome() {
        var record = AgentRecord(at: begin)
        record.add(pass("start", isRepair: false, steps: 7))
        record.add(pass(steps: 2))
        record.add(pass())
        record.add(pass(error: "broken"))
        #expect(
            record.passes == [
                .init(cause: "start", hasFailed: false): 1, .init(cause: "period", hasFailed: false): 2,
                .init(cause: "period", hasFailed: true): 1,
            ])
        #expect(record.count == 4 && record.steps == 9)
        #expect(record.repairs == 2, "what the mesh asked for is no repair")
    }

    /// A pass belongs to the group of the least bound that it does not exceed; those above all bounds to none.
    @Test func passesAreGroupedByDuration() {
        var record = AgentRecord(at: begin)
        for duration in [Duration.milliseconds(10), .milliseconds(11), .seconds(10), .seconds(11)] {
            record.add(pass(lasting: duration))
        }
        #expect(record.durations == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1])
        #expect(record.totalDuration == .milliseconds(21_021))
    }

    @Test func anAgentIsHealthyWhilePassesEnd() {
        var record = AgentRecord(at: begin)
        #expect(record.health(at: begin + .seconds(30)).isGood)
        #expect(
            record.health(at: begin + .seconds(31))
                == .init(isGood: false, sentence: "No pass has ended in the 31 s since the agent began."))
        record.add(pass(error: "broken", endingAfter: 20))
        #expect(
            record.health(at: begin + .seconds(50))
                == .init(isGood: true, sentence: "The last pass ended 30 s ago and failed."))
        #expect(
            record.health(at: begin + .seconds(51)) == .init(isGood: false, sentence: "No pass has ended for 31 s."))
    }

    /// What this host has refused serves nobody, however well the pass went.
    @Test func anAgentOfAnIncompleteMeshIsNotReady() {
        var record = AgentRecord(at: begin)
        var incomplete = pass()
        incomplete.missing = ["this host does without ingress_sbox: no"]
        record.add(incomplete)
        #expect(record.health(at: begin + .seconds(2)).isGood)
        #expect(
            record.readiness(at: begin + .seconds(2))
                == .init(isGood: false, sentence: "this host does without ingress_sbox: no"))
        record.add(pass(endingAfter: 3))
        #expect(record.readiness(at: begin + .seconds(4)).isGood)
    }

    @Test func anAgentIsReadyWhileTheLastPassWasGood() {
        var record = AgentRecord(at: begin)
        #expect(!record.readiness(at: begin).isGood)
        record.add(pass(endingAfter: 2))
        #expect(record.readiness(at: begin + .seconds(5)).isGood)
        #expect(record.lastGood == begin + .seconds(2))
        record.add(pass(error: "mesh.json is damaged", endingAfter: 4))
        #expect(
            record.readiness(at: begin + .seconds(5))
                == .init(isGood: false, sentence: "The last pass failed: mesh.json is damaged"))
        #expect(record.lastGood == begin + .seconds(2))
    }
}
