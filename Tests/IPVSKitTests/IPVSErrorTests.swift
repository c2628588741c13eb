import SystemPackage
import Testing

@testable import IPVSKit

/// The meaning of each errno for each command, as in `ip_vs_ctl.c`.
@Suite struct IPVSErrorTests {
    private static let id = VirtualService.ID.firewallMark(0x102, .ipv4)
    private static let service = VirtualService(id: id, scheduler: "nope")
    private static let destination = Destination("10.0.0.2", port: 80)
    private static let changes: [Change] = [
        .createService(service), .updateService(service), .deleteService(id), .createDestination(destination, of: id),
        .updateDestination(destination, of: id), .deleteDestination(destination.id, of: id),
    ]

    @Test func meaning() {
        func codes(_ errno: Errno) -> [IPVSError.Code] { Self.changes.map { IPVSError(errno, answering: $0).code } }
        #expect(codes(.noSuchProcess) == Array(repeating: .serviceNotFound, count: 6))
        #expect(codes(.notPermitted) == Array(repeating: .notPermitted, count: 6))
        #expect(codes(.invalidArgument) == Array(repeating: .invalid, count: 6))
        #expect(codes(.outOfRange) == Array(repeating: .outOfRange, count: 6))
        #expect(codes(.addressFamilyNotSupported) == Array(repeating: .familyNotSupported, count: 6))
        #expect(codes(.fileExists) == [.serviceExists, .other, .other, .destinationExists, .other, .other])
        #expect(
            codes(.noSuchFileOrDirectory) == [
                .schedulerNotFound, .schedulerNotFound, .other, .other, .destinationNotFound, .destinationNotFound,
            ])
        #expect(codes(.noMemory) == Array(repeating: .other, count: 6))
    }

    @Test func aUserNamespaceShowsInItsIDs() {
        #expect(IPVSError.isFirstUserNamespace(uidMap: "         0          0 4294967295\n"))
        #expect(IPVSError.isFirstUserNamespace(uidMap: nil))
        for map in ["         0       1000          1\n", "0 0 1\n0 1 4294967294\n", ""] {
            #expect(!IPVSError.isFirstUserNamespace(uidMap: map))
        }
    }

    @Test func aRefusalSaysWhetherAUserNamespaceIsWhy() {
        let refusals =
            Self.changes.map { IPVSError(.notPermitted, answering: $0) }
            + [IPVSError(.notPermitted, operation: "look", meaning: [:])]
        for refusal in refusals {
            #expect(refusal.hint?.contains("user namespace") == refusal.isInUserNamespace)
        }
        #expect(!IPVSError(.noSuchProcess, answering: Self.changes[0]).isInUserNamespace)
    }

    /// Such errors are made by tests of programs that use the library.
    @Test func resultsAndErrorsCanBeMade() throws {
        let refusal = IPVSError(.invalid, errno: .invalidArgument, operation: "test", hint: "because")
        let result = PerformResult(count: 3, failures: [.init(index: 1, error: refusal)])
        #expect(result[0] == .done && result[1] == .failed(refusal) && result[2] == .done)
        #expect(throws: refusal) { try result.get() }
        let late = IPVSError(.deadlineExceeded, operation: "test")
        let short = PerformResult(count: 4, failures: [], interruption: late, confirmed: 1, sent: 3)
        #expect((0..<4).map { short[$0] } == [.done, .unknown, .unknown, .notSent])
        #expect(throws: late) { try short.get() }
    }

    @Test func saysWhatWasAskedAndWhatItMeans() {
        #expect(
            IPVSError(.noSuchProcess, answering: .createDestination(Self.destination, of: Self.id)).description
                == "cannot add destination 10.0.0.2:80 to FWM 258: no such service (errno 3: No such process)")
        #expect(
            IPVSError(.noSuchFileOrDirectory, answering: .createService(Self.service)).description
                == "cannot create service FWM 258: no such scheduler (errno 2: No such file or directory); "
                + "the kernel has no module ip_vs_nope")
    }

    @Test func ofABatchCutShortTheRestIsUnknownOrNotSent() async throws {
        let ipvs = IPVS(
            simulating: { request in
                // The kernel answers only the first window.
                request[8] == 64 ? [reply(to: request, type: 2, payload: [0, 0, 0, 0])] : []
            }, deadline: .seconds(1))
        let changes = (0..<200).map {
            Change.deleteService(.firewallMark(FirewallMark(rawValue: UInt32($0 + 1))!, .ipv4))
        }
        let result = try await ipvs.perform(changes)
        #expect(result.interruption?.code == .deadlineExceeded)
        #expect(result[0] == .done && result[63] == .done)
        #expect(result[64] == .unknown && result[127] == .unknown)
        #expect(result[128] == .notSent && result[199] == .notSent)
        #expect(throws: IPVSError.self) { try result.get() }
    }
}
