import IPVSKit
import IPVSKitTesting
import Synchronization
import Testing

/// Iterating over the outcomes of a batch, and over the destinations of a status.
@Suite(.timeLimit(.minutes(1))) struct OutcomeTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

    @Test func outcomesGoWithTheirChanges() async throws {
        let fake = FakeIPVS()
        let changes: [Change] = [
            .deleteService(Self.web), .createService(VirtualService(id: Self.web)),
            .createService(VirtualService(id: Self.web)),
            .createDestination(Destination("10.0.0.1", port: 80), of: Self.web),
        ]
        let result = try await fake.client.perform(changes)
        let outcomes = result.outcomes
        #expect(outcomes.count == 4 && outcomes.map(\.change) == changes && result.changes == changes)
        #expect(outcomes.indices.map { outcomes[$0].outcome } == (0..<4).map { result[$0] })
        var refused: [String] = []
        for (change, outcome) in outcomes where outcome != .done { refused.append("\(change): \(outcome)") }
        #expect(
            refused == [
                "delete service FWM 258: failed: cannot delete service FWM 258: no such service "
                    + "(errno 3: No such process)",
                "create service FWM 258: failed: cannot create service FWM 258: the service exists already "
                    + "(errno 17: File exists)",
            ])
        #expect(outcomes.reversed().first?.outcome == .done && outcomes.dropFirst(3).first?.change == changes[3])
        #expect(try await fake.client.perform([Change]()).outcomes.isEmpty)
    }

    /// The first 64 are answered, the next 64 are not, and the last two are not sent.
    @Test func anInterruptedBatchSaysWhatIsKnown() async throws {
        let count = Mutex(0)
        let ipvs = IPVS(
            simulating: { _ in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                return number <= 64 ? [.acknowledgement] : []
            }, deadline: .milliseconds(300))
        let changes = (1...130).map { Change.deleteService(.firewallMark(FirewallMark(rawValue: $0)!, .ipv4)) }
        let outcomes = try await ipvs.perform(changes).outcomes
        #expect(outcomes.map(\.change) == changes)
        #expect(outcomes.prefix(64).allSatisfy { $0.outcome == .done })
        #expect(outcomes[64..<128].allSatisfy { $0.outcome == .unknown })
        #expect(outcomes.suffix(2).allSatisfy { $0.outcome == .notSent })
    }

    /// Failures may be given in any order.
    @Test func failuresAreFoundByTheirPlace() {
        let error = IPVSError(.other, operation: "try")
        let places = [7, 0, 9, 3]
        let result = PerformResult(count: 10, failures: places.map { .init(index: $0, error: error) })
        #expect(result.failures.map(\.index) == places.sorted())
        for place in 0..<10 { #expect(result[place] == (places.contains(place) ? .failed(error) : .done)) }
        #expect(result.outcomes.isEmpty, "of a number alone no change is known")
    }

    @Test func destinationsComeWithTheirService() async throws {
        let fake = FakeIPVS()
        let other = VirtualService.ID.firewallMark(0x103, .ipv6)
        try await fake.client.perform([
            .createService(VirtualService(id: Self.web)), .createService(VirtualService(id: other)),
            .createService(VirtualService(id: .firewallMark(0x104, .ipv4))),
            .createDestination(Destination("10.0.0.1", port: 80), of: Self.web),
            .createDestination(Destination("10.0.0.2", port: 80), of: Self.web),
            .createDestination(Destination("fd00::1", port: 80), of: other),
        ]).get()
        let destinations = try await fake.client.status().destinations
        #expect(
            Set(destinations.map { "\($0.service.id) \($0.destination.id)" })
                == ["FWM 258 10.0.0.1:80", "FWM 258 10.0.0.2:80", "FWM 259 IPv6 [fd00::1]:80"])
        #expect(destinations.count == 3)
    }
}
