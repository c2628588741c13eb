import Testing

@testable import Netlink

@Suite(.timeLimit(.minutes(1))) struct DeadlinesTests {
    /// Notes who was called, and when.
    private final class Log: Sendable {
        private let calls = Locked<[(name: Int, after: Duration)]>([])
        private let start = ContinuousClock.now

        var names: [Int] { calls.withLock { $0.map(\.name) } }
        var times: [Duration] { calls.withLock { $0.map(\.after) } }

        func note(_ name: Int) -> @Sendable () -> Void {
            { [self] in
                let after = ContinuousClock.now - start
                calls.withLock { $0.append((name, after)) }
            }
        }

        func wait(for count: Int) async throws {
            while names.count < count { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    @Test func callsInTheOrderOfTheirTimesAndNotTooEarly() async throws {
        let deadlines = Deadlines()
        let log = Log()
        // The later ones first: the thread sleeps already when an earlier one comes.
        for milliseconds in [400, 200, 300, 100] {
            _ = try deadlines.add(after: .milliseconds(milliseconds), log.note(milliseconds))
        }
        try await log.wait(for: 4)
        #expect(log.names == [100, 200, 300, 400])
        for (name, time) in zip(log.names, log.times) { #expect(time >= .milliseconds(name)) }
    }

    @Test func anEarlierOneDoesNotWaitForALaterOne() async throws {
        let deadlines = Deadlines()
        let log = Log()
        let far = try deadlines.add(after: .seconds(3_600), log.note(1))
        _ = try deadlines.add(after: .milliseconds(20), log.note(2))
        try await log.wait(for: 1)
        #expect(log.names == [2])
        deadlines.remove(far)
    }

    @Test func whatIsRemovedIsNotCalled() async throws {
        let deadlines = Deadlines()
        let log = Log()
        let removed = try deadlines.add(after: .milliseconds(50), log.note(1))
        _ = try deadlines.add(after: .milliseconds(100), log.note(2))
        deadlines.remove(removed)
        try await log.wait(for: 1)
        #expect(log.names == [2])
    }

    /// Its thread ends where there is nothing left to wait for; the next entry has a new one.
    @Test func worksAgainAfterItWasEmpty() async throws {
        let deadlines = Deadlines()
        let log = Log()
        for round in 1...3 {
            _ = try deadlines.add(after: .milliseconds(10), log.note(round))
            try await log.wait(for: round)
            // So that the thread has gone, sometimes.
            try await Task.sleep(for: .milliseconds(round * 5))
        }
        #expect(log.names == [1, 2, 3])
    }

    @Test func letsGoOfWhatAnEntryHeld() throws {
        final class Token: Sendable {}
        let deadlines = Deadlines()
        weak var alive: Token?
        do {
            let token = Token()
            alive = token
            deadlines.remove(try deadlines.add(after: .seconds(3_600)) { [token] in _ = token })
        }
        #expect(alive == nil)
    }

    @Test func aThousandAtOnce() async throws {
        let deadlines = Deadlines()
        let log = Log()
        for number in 0..<1_000 { _ = try deadlines.add(after: .milliseconds(number % 50), log.note(number)) }
        try await log.wait(for: 1_000)
        #expect(Set(log.names).count == 1_000)
    }
}
