import SystemPackage
import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// The engine against kernels that are closures: slow, mute, stuck and wrong ones.
///
/// One after the other: some start hundreds of calls, and others look at how soon something happens.
@Suite(.serialized, .timeLimit(.minutes(1))) struct NetlinkClientTests {
    private static func messages(_ count: Int) -> Messages {
        Messages(count) { range, writer in
            for _ in range { writer.message(command: 1, version: 1) }
        }
    }

    private static func header(_ request: [UInt8]) -> NetlinkHeader {
        request.withUnsafeBytes { NetlinkHeader($0)! }
    }

    /// Acknowledges what asks for it.
    private static let obedient: SimulatedKernel = { request in
        let header = header(request)
        guard header.flags & NetlinkFlags.acknowledge != 0 else { return [] }
        return [.acknowledgement(of: header.sequence, port: 0)]
    }

    @Test(arguments: [1, 63, 64, 65, 1_000]) func everyMessageOfABatchIsConfirmed(count: Int) async throws {
        let client = NetlinkClient(simulating: Self.obedient)
        let outcome = try await client.send(Self.messages(count), deadline: .seconds(10))
        #expect(outcome.confirmed == count)
        #expect(outcome.failures.isEmpty)
        #expect(outcome.interruption == nil)
    }

    @Test func aFailureStopsNothingBehindIt() async throws {
        let client = NetlinkClient { request in
            let sequence = Self.header(request).sequence
            if sequence % 10 == 0 { return [.error(.fileExists, of: sequence, port: 0)] }
            return Self.obedient(request)
        }
        let outcome = try await client.send(Self.messages(200), deadline: .seconds(10))
        #expect(outcome.confirmed == 200)
        #expect(outcome.failures.map(\.index) == (0..<200).filter { ($0 + 1) % 10 == 0 })
    }

    @Test func aMuteKernelMeetsTheDeadlineAndTheNextCallWorks() async throws {
        let isMute = Locked(true)
        let client = NetlinkClient { request in
            isMute.withLock { $0 } ? [] : Self.obedient(request)
        }
        // The best of some: a machine that does something else too is late by as much as it likes.
        var fastest = Duration.seconds(60)
        var wasHandedOver = false
        let clock = ContinuousClock()
        let end = clock.now + .seconds(30)
        while clock.now < end, fastest >= .milliseconds(200) || !wasHandedOver {
            let start = clock.now
            let outcome = try await client.send(Self.messages(1), deadline: .milliseconds(50))
            fastest = min(fastest, clock.now - start)
            #expect(outcome.interruption == .deadlineExceeded)
            #expect(outcome.confirmed == 0)
            wasHandedOver = wasHandedOver || outcome.sent == 1
        }
        #expect(wasHandedOver, "handed over, and nothing known of it")
        #expect((.milliseconds(50)..<(.milliseconds(200))).contains(fastest), "took \(fastest)")

        isMute.withLock { $0 = false }
        #expect(try await client.send(Self.messages(1), deadline: .seconds(10)).confirmed == 1)
    }

    @Test func aKernelThatNeverReturnsMeetsTheDeadlineToo() async throws {
        let isStuck = Locked(true)
        let client = NetlinkClient { request in
            while isStuck.withLock({ $0 }) { usleep(1_000) }
            return Self.obedient(request)
        }
        defer { isStuck.withLock { $0 = false } }
        // Long enough for the connection's thread to get as far as the kernel.
        let outcome = try await client.send(Self.messages(100), deadline: .seconds(1))
        #expect(outcome.interruption == .deadlineExceeded)
        // What the kernel is at is not known, and what it never saw is known not to be done.
        #expect(outcome.confirmed == 0)
        #expect(outcome.sent == 64)
    }

    @Test func cancellationEndsTheCall() async throws {
        let client = NetlinkClient { _ in [] }
        let call = Task { try await client.send(Self.messages(1), deadline: .seconds(60)) }
        try await Task.sleep(for: .milliseconds(20))
        call.cancel()
        #expect(try await call.value.interruption == .cancelled)
    }

    @Test func aCallCancelledBeforeItBeginsSendsNothing() async throws {
        let requests = Locked(0)
        let client = NetlinkClient { request in
            requests.withLock { $0 += 1 }
            return Self.obedient(request)
        }
        let call = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.send(Self.messages(1), deadline: .seconds(60))
        }
        #expect(try await call.value.interruption == .cancelled)
        #expect(requests.withLock { $0 } == 0)
    }

    /// A hundred calls that get no answer must not stop tasks that have nothing to do with them.
    @Test func aHundredStuckCallsLeaveOtherTasksRunning() async throws {
        let clients = (0..<100).map { _ in NetlinkClient { _ in [] } }
        let finished = Locked(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask {
                    let outcome = try await client.send(Self.messages(1), deadline: .seconds(60))
                    finished.withLock { $0 += 1 }
                    #expect(outcome.interruption == .cancelled)
                }
            }
            // Done while all of them are stuck, or not before their deadline.
            for _ in 0..<10 { await Task.yield() }
            try await Task.sleep(for: .milliseconds(10))
            let ended = finished.withLock { $0 }
            #expect(ended == 0, "\(ended) calls had ended before an unrelated task got its turn")
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// Calls queued behind one that is given up are served by the connection that takes its place.
    @Test func callsBehindAStuckOneAreServed() async throws {
        let first = Locked(true)
        let client = NetlinkClient { request in
            let isFirst = first.withLock { first in
                defer { first = false }
                return first
            }
            return isFirst ? [] : Self.obedient(request)
        }
        async let stuck = client.send(Self.messages(1), deadline: .milliseconds(500))
        while first.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask { try await client.send(Self.messages(1), deadline: .seconds(10)).confirmed }
            }
            for try await confirmed in group { #expect(confirmed == 1) }
        }
        #expect(try await stuck.interruption == .deadlineExceeded)
    }

    @Test func repliesAreNeverCrossed() async throws {
        // Answers a request with its own first attribute.
        let client = NetlinkClient { request in
            let header = Self.header(request)
            return [
                .message(
                    type: Transport.simulatedFamily, sequence: header.sequence, port: 0, payload: Array(request[16...])),
                .acknowledgement(of: header.sequence, port: 0),
            ]
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<50 {
                group.addTask {
                    for call in 0..<100 {
                        let mine = UInt32(task * 1_000 + call)
                        let message = Messages { $0.message(command: 1, version: 1) { $0.put(1, mine) } }
                        let box = Box()
                        _ = try await client.send(message, deadline: .seconds(20)) { _, message in
                            var attributes = message.attributes
                            box.value = attributes.next()?.uint32
                        }
                        #expect(box.value == mine)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func whatIsNotNetlinkFailsTheCallAndNotTheNext() async throws {
        let isWrong = Locked(true)
        let client = NetlinkClient { request in
            isWrong.withLock { wrong in
                defer { wrong = false }
                return wrong ? [[1, 2, 3]] : Self.obedient(request)
            }
        }
        let outcome = try await client.send(Self.messages(1), deadline: .seconds(10))
        #expect(outcome.interruption == .malformedReply)
        #expect(outcome.confirmed == 0 && outcome.sent == 1)
        #expect(try await client.send(Self.messages(1), deadline: .seconds(10)).confirmed == 1)
    }

    /// What was answered before stays known.
    @Test func whatIsNotNetlinkLeavesKnownWhatIsKnown() async throws {
        let client = NetlinkClient { request in
            let sequence = Self.header(request).sequence
            if sequence == 100 { return [[1, 2, 3]] }
            if sequence == 10 || sequence == 70 { return [.error(.fileExists, of: sequence, port: 0)] }
            return Self.obedient(request)
        }
        let outcome = try await client.send(Self.messages(200), deadline: .seconds(10))
        #expect(outcome.interruption == .malformedReply)
        #expect(outcome.confirmed == 64 && outcome.sent == 128)
        #expect(outcome.failures.map(\.index) == [9, 69])
    }

    /// Calls end while a connection begins them, by their deadline or their cancellation; whichever way it goes, those
    /// behind them and the next are served.
    @Test func callsThatEndAsTheyBeginLeaveTheClientWorking() async throws {
        let client = NetlinkClient { request in
            // Some are answered, some never.
            Self.header(request).sequence % 3 == 0 ? [] : Self.obedient(request)
        }
        for round in 0..<20 {
            await withTaskGroup(of: Void.self) { group in
                for call in 0..<100 {
                    group.addTask {
                        let deadline = Duration.microseconds(200 * (1 + (call * 7 + round) % 50))
                        _ = try? await client.send(Self.messages(1), deadline: deadline)
                    }
                }
                if round % 2 == 0 { group.cancelAll() }
            }
            // One of three in a row is answered, whatever the sequence stands at.
            var confirmed = 0
            for _ in 0..<3 where confirmed == 0 {
                confirmed += try await client.send(Self.messages(1), deadline: .seconds(1)).confirmed
            }
            #expect(confirmed == 1, "in round \(round)")
        }
    }

    /// A connection that cannot be opened says why, however soon it fails.
    @Test func whatCannotBeOpenedSaysWhy() async throws {
        let namespace = try NamespaceHandle(path: "/proc/self/ns/net")
        for _ in 0..<200 {
            let client = NetlinkClient(.generic(family: "no such family"), namespace: namespace)
            await #expect(throws: NetlinkError.self) {
                try await client.send(Self.messages(1), deadline: .seconds(5))
            }
        }
    }

    /// The thread and its socket end with the client: a namespace that nobody uses any more can go.
    @Test func theConnectionEndsWithTheClient() async throws {
        final class Token: Sendable {}
        weak var alive: Token?
        do {
            let token = Token()
            alive = token
            let client = NetlinkClient { [token] request in
                _ = token
                return Self.obedient(request)
            }
            _ = try await client.send(Self.messages(1), deadline: .seconds(10))
        }
        for _ in 0..<200 where alive != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(alive == nil)
    }

    private final class Box { var value: UInt32? }
}
