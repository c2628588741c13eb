import NIOCore
import NIOHTTP1

/// An answer by HTTP as it arrives: the status, and then the parts of the body.
final class AnswerParts {
    /// Why an answer is none.
    enum Fault: Error {
        /// It did not come in time.
        case late
        /// The connection ended before it did.
        case early
    }

    let channel: any Channel
    private var iterator: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    init(_ iterator: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator, of channel: any Channel) {
        self.iterator = iterator
        self.channel = channel
    }

    /// The status, with which an answer begins.
    func head() async throws -> Int {
        guard case .head(let head) = try await part() else { throw Fault.early }
        return Int(head.status.code)
    }

    /// The next part of the body; nil after the last one.
    func next() async throws -> ByteBuffer? {
        switch try await part() {
        case .body(let bytes): bytes
        case .end: nil
        case .head: throw Fault.early
        }
    }

    private func part() async throws -> HTTPClientResponsePart {
        guard let part = try await iterator.next(isolation: #isolation) else {
            try Task.checkCancellation()
            throw Fault.early
        }
        return part
    }
}

extension Channel {
    /// Runs the body, which reads from the channel, and closes the channel when the time is over.
    func within<Result>(_ limit: Duration, _ body: () async throws -> Result) async throws -> Result {
        let end = ContinuousClock.now + limit
        let alarm = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.close(promise: nil) }
        defer { alarm.cancel() }
        do {
            return try await body()
        } catch  where end <= .now && !Task.isCancelled {
            throw AnswerParts.Fault.late
        }
    }
}
