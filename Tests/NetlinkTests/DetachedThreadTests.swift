import Synchronization
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct DetachedThreadTests {
    @Test func givesWhatTheBodyGave() async throws {
        #expect(try await DetachedThread.run(in: nil, deadline: .seconds(30)) { 42 } == 42)
    }

    /// A thread that is stuck until it is let go.
    private final class Stuck: Sendable {
        private enum State { case begins, isLetGo, hasEnded }
        private let state = Mutex(State.begins)
        private let began = Mutex(false)

        var isRunning: Bool { began.withLock { $0 } }

        func run() {
            began.withLock { $0 = true }
            while state.withLock({ $0 == .begins }) { usleep(1000) }
            state.withLock { $0 = .hasEnded }
        }

        /// Whether the thread then ends.
        func letGo() async throws -> Bool {
            state.withLock { $0 = .isLetGo }
            for _ in 0..<3000 where state.withLock({ $0 != .hasEnded }) { try await Task.sleep(for: .milliseconds(10)) }
            return state.withLock { $0 == .hasEnded }
        }
    }

    @Test func theDeadlineEndsTheWaitAndNotTheThread() async throws {
        let stuck = Stuck()
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
            try await DetachedThread.run(in: nil, deadline: .milliseconds(20)) { stuck.run() }
        }
        #expect(try await stuck.letGo())
    }

    @Test(arguments: [0, 20]) func cancellationEndsTheWait(afterMilliseconds delay: Int) async throws {
        let stuck = Stuck()
        let task = Task {
            try await DetachedThread.run(in: nil, deadline: .seconds(600)) { stuck.run() }
        }
        if delay > 0 { try await Task.sleep(for: .milliseconds(delay)) }
        task.cancel()
        await #expect(throws: NetlinkError.interrupted(.cancelled)) { try await task.value }
        // Where it was cancelled before it began there may be no thread at all.
        if delay > 0 { _ = try await stuck.letGo() }
    }

    /// The thread may still do what it was told: what its caller holds against others stays held until it has ended.
    @Test func whatIsHeldIsHeldUntilTheThreadEnds() async throws {
        let stuck = Stuck()
        let isReleased = Mutex(false)
        func waitForRelease() async throws -> Bool {
            for _ in 0..<500 where !isReleased.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
            return isReleased.withLock { $0 }
        }
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
            try await Hold.$current.withValue(Hold { isReleased.withLock { $0 = true } }) {
                try await DetachedThread.run(in: nil, deadline: .milliseconds(20)) { stuck.run() }
            }
        }
        try await Task.sleep(for: .milliseconds(20))
        #expect(!isReleased.withLock { $0 })
        #expect(try await stuck.letGo())
        #expect(try await waitForRelease())
    }

    /// Nor is what a connection is stuck with.
    @Test func whatIsHeldIsHeldUntilTheConnectionHasLetGo() async throws {
        let isStuck = Mutex(true)
        let isReleased = Mutex(false)
        let client = NetlinkClient { _ in
            while isStuck.withLock({ $0 }) { usleep(1000) }
            return []
        }
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
            try await Hold.$current.withValue(Hold { isReleased.withLock { $0 = true } }) {
                let request = Messages { $0.message(command: 1, version: 1) }
                try await client.perform(request, deadline: .milliseconds(200))
            }
        }
        try await Task.sleep(for: .milliseconds(20))
        #expect(!isReleased.withLock { $0 })
        isStuck.withLock { $0 = false }
        for _ in 0..<500 where !isReleased.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(isReleased.withLock { $0 })
    }

    @Test func aCallThatWasGivenUpDoesNotBeginOnceTheLockIsFree() async throws {
        let lock = Locked(())
        let stuck = Stuck()
        let began = Mutex(0)
        let first = Task {
            try await DetachedThread.run(in: nil, deadline: .seconds(600), holding: lock) { stuck.run() }
        }
        while !stuck.isRunning { try await Task.sleep(for: .milliseconds(1)) }
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
            try await DetachedThread.run(in: nil, deadline: .milliseconds(20), holding: lock) {
                began.withLock { $0 += 1 }
            }
        }
        #expect(try await stuck.letGo())
        try await first.value
        // Behind the one that was given up.
        try await DetachedThread.run(in: nil, deadline: .seconds(600), holding: lock) {}
        try await Task.sleep(for: .milliseconds(50))
        #expect(began.withLock { $0 } == 0)
    }

    @Test func manyAtOnce() async throws {
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask { try await DetachedThread.run(in: nil, deadline: .seconds(30)) { number } }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 199 * 100)
    }
}
