import IPVSKit
import IPVSKitTesting
import Synchronization
import Testing

/// The behaviour of a closed client. `KernelTests` counts the resources that it releases.
@Suite(.timeLimit(.minutes(1))) struct CloseTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

    @Test func whatComesLaterIsRefusedAndDoesNothing() async throws {
        let fake = FakeIPVS()
        let ipvs = fake.client(deadline: .seconds(30))
        try await ipvs.create(VirtualService(id: Self.web))
        ipvs.close()
        ipvs.close()
        let calls: [@Sendable () async throws -> Void] = [
            { try await ipvs.delete(Self.web) }, { _ = try await ipvs.perform([.deleteService(Self.web)]) },
            { _ = try await ipvs.table() }, { _ = try await ipvs.status() }, { _ = try await ipvs.service(Self.web) },
            { try await ipvs.flush() }, { _ = try await ipvs.info() }, { _ = try await ipvs.features() },
            { _ = try await ipvs.schedulers() }, { _ = try await ipvs.setting(.conntrack) },
            { try await ipvs.set(.conntrack, to: true) }, { _ = try await ipvs.globalStatistics() },
            { try await ipvs.createOrUpdate(VirtualService(id: Self.web)) },
            { for try await _ in ipvs.connections() {} }, { for try await _ in ipvs.events() {} },
        ]
        for (number, call) in calls.enumerated() {
            let error = await #expect(throws: IPVSError.self) { try await call() }
            #expect(error?.code == .closed, "\(number): \(String(describing: error))")
        }
        let error = await #expect(throws: IPVSError.self) { try await ipvs.delete(Self.web) }
        #expect(error?.description == "cannot delete service FWM 258: the client is closed")
        #expect(fake.description == "-A -f 258 -s rr", "another client is another")
        #expect(try await fake.client.services().count == 1)
    }

    /// An empty list of changes succeeds on a closed client, too.
    @Test func nothingIsDoneAsEver() async throws {
        let ipvs = FakeIPVS().client(deadline: .seconds(30))
        ipvs.close()
        #expect(try await ipvs.perform([Change]()).count == 0)
    }

    /// Callers wait for an answer that never comes, the first of them and those behind it.
    @Test func callsThatWaitEnd() async throws {
        let isAsked = Mutex(false)
        let ipvs = IPVS(simulating: { _ in
            isAsked.withLock { $0 = true }
            return []
        })
        let clock = ContinuousClock()
        let start = clock.now
        let first = Task { try await ipvs.perform([.deleteService(Self.web)]) }
        while !isAsked.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        let others = (0..<10).map { _ in Task { try await ipvs.perform([.deleteService(Self.web)]) } }
        try await Task.sleep(for: .milliseconds(50))
        ipvs.close()

        let result = try await first.value
        #expect(result[0] == .unknown && result.interruption?.code == .closed)
        for other in others {
            let error = await #expect(throws: IPVSError.self) { try await other.value }
            #expect(error?.code == .closed)
        }
        #expect(clock.now - start < .seconds(10), "and not with the deadline")
    }

    /// The client's thread may be stuck in the kernel, here in the closure.
    @Test func aThreadThatHangsHoldsNobodyUp() async throws {
        let isAsked = Mutex(false)
        let mayGoOn = Mutex(false)
        let ipvs = IPVS(simulating: { _ in
            isAsked.withLock { $0 = true }
            while !mayGoOn.withLock({ $0 }) {}
            return [.acknowledgement]
        })
        let call = Task { try await ipvs.perform([.deleteService(Self.web)]) }
        while !isAsked.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        ipvs.close()
        #expect(try await call.value.interruption?.code == .closed)
        mayGoOn.withLock { $0 = true }
    }

    /// Closing releases the kernel, here a closure and otherwise a namespace, before the client itself is gone.
    @Test func whatWasHeldIsLetGoOf() async throws {
        final class Held: Sendable {}
        var held: Held? = Held()
        weak let weakly = held
        let ipvs = IPVS(simulating: { [held] _ in
            _ = held
            return [.acknowledgement]
        })
        held = nil
        try await ipvs.delete(Self.web)
        #expect(weakly != nil)
        ipvs.close()
        for _ in 0..<500 where weakly != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(weakly == nil)
        _ = ipvs
    }

    /// Many tasks close the client at once while others call it: each call succeeds or is refused, and none hangs.
    @Test func closingAmongCallsIsSafe() async throws {
        for _ in 0..<50 {
            let fake = FakeIPVS()
            let ipvs = fake.client(deadline: .seconds(30))
            let done = await withTaskGroup(of: Int.self) { group in
                for task in 0..<8 {
                    group.addTask {
                        var done = 0
                        for number in 0..<20 {
                            let mark = FirewallMark(rawValue: UInt32(task * 100 + number + 1))!
                            do throws(IPVSError) {
                                try await ipvs.create(VirtualService(id: .firewallMark(mark, .ipv4)))
                                done += 1
                            } catch {
                                #expect(error.code == .closed)
                            }
                        }
                        return done
                    }
                }
                for _ in 0..<3 {
                    group.addTask {
                        try? await Task.sleep(for: .microseconds(.random(in: 0..<500)))
                        ipvs.close()
                        return 0
                    }
                }
                return await group.reduce(0, +)
            }
            // Changes that were under way may be made although their callers got an error.
            #expect(try await fake.client.services().count >= done)
        }
    }

    @Test func aWatcherEndsWithTheClient() async throws {
        let fake = FakeIPVS()
        let ipvs = fake.client(deadline: .seconds(30))
        var events = ipvs.events(every: .milliseconds(10)).makeAsyncIterator()
        #expect(try await events.next() == .upToDate)
        ipvs.close()
        let error = await #expect(throws: IPVSError.self) { try await events.next() }
        #expect(error?.code == .closed)
        #expect(try await events.next() == nil)
    }
}
