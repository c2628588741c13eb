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

        func run() {
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
