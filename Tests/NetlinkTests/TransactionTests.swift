import CNetlink
import Synchronization
import SystemPackage
import Testing

@testable import Netlink

/// Transactions of netfilter against kernels that are closures.
@Suite(.timeLimit(.minutes(1))) struct TransactionTests {
    private static func commit(
        _ count: Int = 3, deadline: Duration = .seconds(10), answering answers: @escaping SimulatedKernel
    ) async throws(NetlinkError) -> TransactionRefusal? {
        let client = NetlinkClient(simulating: answers)
        let messages = Messages(count) { range, writer in
            for number in range { writer.netfilterMessage(10 << 8 | UInt16(number), family: 1) }
        }
        return try await client.commit(messages, subsystem: 10, deadline: deadline)
    }

    private static func header(_ request: [UInt8]) -> NetlinkHeader { request.withUnsafeBytes { NetlinkHeader($0)! } }

    /// As the kernel does it: nothing before the end of the transaction, and then the refusals in their order.
    private static func kernel(
        refusing refused: [UInt16: Errno], _ seen: Seen = Seen()
    ) -> SimulatedKernel {
        { request in
            let header = header(request)
            seen.requests.withLock { $0.append((header.type, header.flags)) }
            guard header.type == 0x11 else { return [] }
            let first = header.sequence - UInt32(seen.requests.withLock { $0.count }) + 1
            return seen.requests.withLock { $0 }.enumerated().compactMap { index, message in
                let sequence = first + UInt32(index)
                if let errno = refused[message.0] { return .error(errno, of: sequence, port: 0) }
                return message.1 & NetlinkFlags.acknowledge == 0 ? nil : .acknowledgement(of: sequence, port: 0)
            }
        }
    }

    private final class Seen: Sendable {
        let requests = Mutex<[(UInt16, UInt16)]>([])
    }

    @Test func standsBetweenABeginningAndAnEnd() async throws {
        let seen = Seen()
        #expect(try await Self.commit(answering: Self.kernel(refusing: [:], seen)) == nil)
        let requests = seen.requests.withLock { $0 }
        #expect(requests.map(\.0) == [0x10, 0xA00, 0xA01, 0xA02, 0x11])
        // One answer is enough, and the end gets none.
        let acknowledged = requests.filter { $0.1 & NetlinkFlags.acknowledge != 0 }
        #expect(acknowledged.map(\.0) == [0xA02])
    }

    @Test func namesTheMessageThatWasRefused() async throws {
        for number in UInt16(0)...2 {
            let refusal = try await Self.commit(answering: Self.kernel(refusing: [0xA00 + number: .fileExists]))
            #expect(refusal == TransactionRefusal(index: Int(number), errno: .fileExists))
        }
    }

    /// The kernel then answers none of the messages within.
    @Test func isRefusedAsAWhole() async throws {
        let refusal = try await Self.commit { request in
            let header = Self.header(request)
            return header.type == 0x10 ? [.error(.notPermitted, of: header.sequence, port: 0)] : []
        }
        #expect(refusal == TransactionRefusal(errno: .notPermitted))
    }

    @Test func anEmptyOneIsNotSent() async throws {
        #expect(try await Self.commit(0) { _ in [[1, 2, 3]] } == nil)
    }

    @Test func whatIsNotKnownIsNoSuccess() async throws {
        await #expect(throws: NetlinkError.interrupted(.deadlineExceeded)) {
            try await Self.commit(deadline: .milliseconds(50)) { _ in [] }
        }
        await #expect(throws: NetlinkError.interrupted(.malformedReply)) {
            try await Self.commit { request in Self.header(request).type == 0x11 ? [[1, 2, 3]] : [] }
        }
    }
}
