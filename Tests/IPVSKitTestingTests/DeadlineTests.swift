import IPVSKit
import IPVSKitTesting
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Kernels that never answer, and callers who do not wait for them.
///
/// A busy machine, for example one that runs other tests, may be arbitrarily late. So each measurement is repeated for
/// a while, until it is in time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DeadlineTests {
    private static let deadline = Duration.milliseconds(50)
    private static let inTime = Duration.milliseconds(50)..<(.milliseconds(200))

    /// Measures the body repeatedly until it is in time, and reports the last measurements if it never is.
    private static func expectInTime(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () async -> Duration
    ) async throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(30)
        var times: [Duration] = []
        repeat {
            times.append(await body())
            if inTime.contains(times.last!) { return }
            #expect(times.last! >= deadline, sourceLocation: sourceLocation)
            try await Task.sleep(for: .milliseconds(100))
        } while clock.now < end
        Issue.record("took \(times.suffix(5))", sourceLocation: sourceLocation)
    }

    /// The ways in which a kernel may not answer.
    enum Silence: CaseIterable {
        /// It accepts the request and does not answer.
        case mute
        /// It never returns from the system call.
        case stuck
    }

    /// A kernel that does not answer until it is told to.
    private final class SilentKernel: Sendable {
        private let silence: Silence
        private let isSilent = Atomic(true)

        init(_ silence: Silence) { self.silence = silence }

        func speak() { isSilent.store(false, ordering: .relaxed) }

        private func isStillSilent() -> Bool { isSilent.load(ordering: .relaxed) }

        func client(deadline: Duration) -> IPVS {
            IPVS(
                simulating: { [self] request in
                    if silence == .stuck { while isStillSilent() { usleep(10_000) } }
                    if isStillSilent() { return [.nothing] }
                    return request.isDump ? [.done] : [.acknowledgement]
                }, deadline: deadline)
        }
    }

    private final class Turns: Sendable {
        let count = Atomic(0)
    }

    /// The four ways in which the client talks to the kernel.
    static let calls: [(String, @Sendable (IPVS) async throws -> Void)] = [
        ("a change", { try await $0.create(VirtualService(id: .firewallMark(1, .ipv4))) }),
        (
            "changes",
            { try await $0.perform((1...200).map { .deleteService(.firewallMark(.init(rawValue: $0)!, .ipv4)) }).get() }
        ),
        ("a dump", { _ = try await $0.services() }),
        ("a command", { try await $0.flush() }),
    ]

    /// How long the call takes to fail without an answer.
    private static func time(_ ipvs: IPVS, _ call: (IPVS) async throws -> Void) async -> Duration {
        let clock = ContinuousClock()
        let start = clock.now
        let error = await #expect(throws: IPVSError.self) { try await call(ipvs) }
        #expect(error?.code == .deadlineExceeded)
        return clock.now - start
    }

    @Test(arguments: Silence.allCases, 0..<4)
    func aCallThatIsNotAnsweredEndsInTimeAndTheNextWorks(silence: Silence, call: Int) async throws {
        let kernel = SilentKernel(silence)
        defer { kernel.speak() }
        let ipvs = kernel.client(deadline: Self.deadline)
        try await Self.expectInTime { await Self.time(ipvs, Self.calls[call].1) }

        kernel.speak()
        // The same client works again. The kernel gets more attempts, since the client's deadline is still short.
        let clock = ContinuousClock()
        let end = clock.now + .seconds(30)
        var worked = false
        while !worked, clock.now < end {
            do {
                try await Self.calls[call].1(ipvs)
                worked = true
            } catch let error as IPVSError {
                #expect(error.code == .deadlineExceeded)
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        #expect(worked)
    }

    /// The calls run on one client each, and all on one client, where each waits behind the others.
    @Test(arguments: Silence.allCases, [true, false])
    func aHundredCallsAtOnceEndInTime(silence: Silence, shared: Bool) async throws {
        try await Self.expectInTime {
            // Each attempt uses a new kernel; calls that are stuck in the old one end when it answers.
            let kernel = SilentKernel(silence)
            defer { kernel.speak() }
            let one = kernel.client(deadline: Self.deadline)
            let clients = (0..<100).map { _ in shared ? one : kernel.client(deadline: Self.deadline) }
            // The duration of the slowest call.
            return await withTaskGroup(of: Duration.self) { group in
                for client in clients {
                    group.addTask { await Self.time(client) { _ = try await $0.services() } }
                }
                return await group.reduce(.zero, max)
            }
        }
    }

    /// The kernels answer only after other tasks have run. If each call blocked one of Swift's threads, these tasks
    /// would never run, and the calls would miss their deadline.
    @Test func aHundredCallsThatAreStuckLeaveOtherTasksRunning() async throws {
        let kernel = SilentKernel(.stuck)
        defer { kernel.speak() }
        let turns = Turns()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask { try await kernel.client(deadline: .seconds(20)).flush() }
            }
            for _ in 0..<100 {
                group.addTask {
                    for _ in 0..<100 {
                        await Task.yield()
                        turns.count.add(1, ordering: .relaxed)
                    }
                }
            }
            group.addTask {
                while turns.count.load(ordering: .relaxed) < 10_000 { try await Task.sleep(for: .milliseconds(1)) }
                kernel.speak()
            }
            try await group.waitForAll()
        }
        #expect(turns.count.load(ordering: .relaxed) == 10_000)
    }
}
