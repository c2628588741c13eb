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

    @Test func theDeadlineEndsTheWaitAndNotTheThread() async throws {
        let ended = Mutex(false)
        let clock = ContinuousClock()
        let taken = await clock.measure {
            await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
                try await DetachedThread.run(in: nil, deadline: .milliseconds(20)) {
                    usleep(500_000)
                    ended.withLock { $0 = true }
                }
            }
        }
        #expect(taken < .milliseconds(400))
        for _ in 0..<500 where !ended.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(ended.withLock { $0 })
    }

    @Test func cancellationEndsTheWait() async throws {
        let clock = ContinuousClock()
        for delay in [0, 20] {
            let taken = await clock.measure {
                let task = Task {
                    try await DetachedThread.run(in: nil, deadline: .seconds(30)) { _ = usleep(500_000) }
                }
                if delay > 0 { try? await Task.sleep(for: .milliseconds(delay)) }
                task.cancel()
                await #expect(throws: NetlinkError.interrupted(.cancelled)) { try await task.value }
            }
            #expect(taken < .milliseconds(400))
        }
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
