import Foundation
import IPVSKit
import IPVSKitTesting
import SystemPackage
import Testing

/// The statements of the article Errors about cancellation and about Foundation.
@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

    /// Runs the body in a task that is cancelled once the kernel has its request, which it never answers.
    private func cancelled<Value: Sendable>(
        _ body: @escaping @Sendable (IPVS) async throws -> Value
    ) async -> Result<Value, any Error> {
        let (asked, kernel) = AsyncStream.makeStream(of: Void.self)
        let ipvs = IPVS(simulating: { _ in
            kernel.yield()
            return []
        })
        let task = Task { try await body(ipvs) }
        for await _ in asked { break }
        task.cancel()
        return await task.result
    }

    @Test func aCallThrowsTheLibrarysOwnError() async throws {
        for result in [
            await cancelled { try await $0.delete(Self.web) }, await cancelled { _ = try await $0.status() },
            await cancelled { _ = try await $0.table() },
        ] {
            guard case .failure(let error) = result else {
                Issue.record("it was done")
                continue
            }
            #expect(!(error is CancellationError))
            #expect((error as? IPVSError)?.code == .cancelled)
            #expect("\(error)".hasSuffix(": the task was cancelled"), "\(error)")
        }
    }

    @Test func aBatchReturnsWhatIsKnown() async throws {
        let result = try await cancelled { try await $0.perform([.deleteService(Self.web)]) }.get()
        #expect(result.interruption?.code == .cancelled && result[0] == .unknown)
        let early = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await FakeIPVS().client.perform([.deleteService(Self.web)])
        }
        let unsent = try await early.value
        #expect(unsent.interruption?.code == .cancelled && unsent[0] == .notSent)
    }

    @Test func aStreamOfEventsEndsAndOneOfConnectionsThrows() async throws {
        let ends = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            for try await _ in FakeIPVS().client.events() {}
            return true
        }
        #expect(try await ends.value)
    }

    /// Foundation shows only the type and a number of the error; the text is `"\(error)"`.
    @Test func foundationHasNoWordsForIt() {
        let error: any Error = IPVSError(.serviceNotFound, errno: .noSuchProcess, operation: "delete service FWM 258")
        #expect(error.localizedDescription.hasPrefix("The operation could not be completed. "))
        #expect(error.localizedDescription.contains("IPVSError") && !error.localizedDescription.contains("258"))
        #expect("\(error)" == "cannot delete service FWM 258: no such service (errno 3: No such process)")
    }
}
