import Logging
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import IPVSKit

/// Every call that fails is logged once.
@Suite struct LoggingTests {
    private static let web = VirtualService.ID.firewallMark(1, .ipv4)

    /// Calls that fail, on a kernel that answers every request with an incomplete entry, or with success only.
    private static let calls: [(String, @Sendable (IPVS) async throws -> Void)] = [
        ("list services", { _ = try await $0.services() }), ("one service", { _ = try await $0.service(web) }),
        ("info", { _ = try await $0.info() }), ("a file", { _ = try await $0.globalStatistics() }),
        ("connections", { for try await _ in $0.connections() {} }), ("scratch", { _ = try await $0.schedulers() }),
        ("a name", { try await $0.create(VirtualService(id: web, scheduler: "")) }),
        ("a length", { try await $0.start(SyncDaemon(role: .backup, interface: "lo", maximumLength: 9)) }),
        ("drain", { try await $0.drain(.init("10.0.0.1", port: 80), of: web, within: .zero) }),
    ]

    @Test(arguments: [true, false]) func everyFailureIsLoggedOnce(sends: Bool) async {
        for (name, call) in Self.calls where sends || name != "list services" {
            let lines = Locked<[String]>([])
            let ipvs = IPVS(
                simulating: { request in
                    // The first attribute is shorter than its value.
                    let entry = reply(to: request, type: 0x1F, payload: [1, 1, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0])
                    let isDump = request[7] & 3 != 0
                    let end = reply(to: request, type: isDump ? 3 : 2, payload: [0, 0, 0, 0])
                    return sends ? [entry, end] : [end]
                }, deadline: .seconds(5), logger: RecordingLog.logger(to: lines, from: .debug))
            do {
                try await call(ipvs)
                Issue.record("\(name) succeeded")
            } catch {
                #expect(lines.withLock(\.self) == ["debug \(error)"], "\(name)")
            }
        }
    }

    @Test func whatIsToBeModifiedAndIsNotThereIsLogged() async {
        let lines = Locked<[String]>([])
        let ipvs = IPVS(
            simulating: { request in
                let nest: [UInt8] =
                    [6, 0, 1, 0, 2, 0, 0, 0] + [8, 0, 5, 0, 1, 0, 0, 0] + [7, 0, 6, 0, 0x72, 0x72, 0, 0]
                let service = reply(
                    to: request, type: 0x1F, payload: [1, 1, 0, 0, UInt8(4 + nest.count), 0, 1, 0] + nest)
                let isDump = request[7] & 3 != 0
                let end = reply(to: request, type: isDump ? 3 : 2, payload: [0, 0, 0, 0])
                return isDump ? [end] : [service, end]
            }, logger: RecordingLog.logger(to: lines, from: .debug))
        let error = await #expect(throws: IPVSError.self) {
            try await ipvs.modify(.init("10.0.0.1", port: 80), of: Self.web) { $0.weight = 0 }
        }
        #expect(error?.code == .destinationNotFound)
        #expect(lines.withLock(\.count) == 1)
    }

    @Test func aNamespaceThatIsNotThereIsLogged() throws {
        let lines = Locked<[String]>([])
        let logger = RecordingLog.logger(to: lines, from: .debug)
        #expect(throws: IPVSError.self) { try IPVS(in: .path("/nonexistent"), logger: logger) }
        #expect(lines.withLock(\.count) == 1)
    }
}
