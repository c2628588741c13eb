import NIOCore
import NIOHTTP1
import NIOPosix
package import SystemPackage

/// Asks one engine, or the agent, by HTTP/1.1 at its Unix socket. Each question has a connection of its own, so that
/// none waits for another, nor for the stream of events.
package struct EngineClient: Sendable {
    /// The longest answer. A list of ten thousand containers has 20 MB.
    static let mostBytes = 64 << 20

    /// An answer.
    package struct Answer: Sendable {
        package var status: Int
        package var body: [UInt8]
    }

    let socket: FilePath

    package init(_ socket: FilePath) { self.socket = socket }

    /// Asks for a resource.
    ///
    /// - Parameters:
    ///   - target: the path and the query, escaped.
    ///   - limit: how long the engine may take for the whole answer.
    package func get(_ target: String, within limit: Duration) async throws(ContainerError) -> Answer {
        do {
            return try await Self.converse(.get(target), by: try await connect()) { parts in
                try await parts.channel.within(limit) { try await Self.answer(parts) }
            }
        } catch {
            throw ContainerError(error, at: socket)
        }
    }

    /// Sends a text, and waits for the answer for as long as it takes.
    ///
    /// - Parameter target: the path and the query, escaped.
    /// - Returns: nil if nobody could be connected to, so that nothing was sent.
    package func post(_ target: String, _ body: String) async throws(ContainerError) -> Answer? {
        do {
            guard let channel = try? await connect() else { return nil }
            return try await Self.converse(.post(target, body), by: channel) { try await Self.answer($0) }
        } catch {
            throw ContainerError(error, at: socket)
        }
    }

    /// Reads a whole answer.
    private static func answer(_ parts: AnswerParts) async throws -> Answer {
        var answer = Answer(status: try await parts.head(), body: [])
        while let part = try await parts.next() {
            answer.body += part.readableBytesView
            guard answer.body.count <= Self.mostBytes else { throw NIOTooManyBytesError(maxBytes: Self.mostBytes) }
        }
        return answer
    }

    /// Asks for an answer that does not end, and hands over its parts as they arrive. Returns when the engine ends it.
    ///
    /// - Parameters:
    ///   - limit: how long the engine may take to begin.
    ///   - take: called with the status before the first part, and then with each part.
    package func follow(
        _ target: String, beginningWithin limit: Duration, _ take: (Int, [UInt8]) async throws -> Void
    ) async throws {
        // What `take` throws is no fault of the engine.
        var refusal: (any Error)?
        do {
            try await Self.converse(.get(target), by: try await connect()) { parts in
                let status = try await parts.channel.within(limit) { try await parts.head() }
                var part: ByteBuffer? = ByteBuffer()
                while let bytes = part {
                    do { try await take(status, Array(bytes.readableBytesView)) } catch {
                        refusal = error
                        return
                    }
                    part = try await parts.next()
                }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw ContainerError(error, at: socket)
        }
        if let refusal { throw refusal }
    }

    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    private func connect() async throws -> Connection {
        try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(unixDomainSocketPath: socket.string) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// What is sent to a server.
    private struct Question {
        var parts: [HTTPClientRequestPart]

        static func get(_ target: String) -> Self { Self(parts: [.head(head(.GET, target)), .end(nil)]) }

        static func post(_ target: String, _ text: String) -> Self {
            let body = ByteBuffer(string: text)
            var head = head(.POST, target)
            head.headers.add(name: "Content-Length", value: "\(body.readableBytes)")
            return Self(parts: [.head(head), .body(.byteBuffer(body)), .end(nil)])
        }

        private static func head(_ method: HTTPMethod, _ target: String) -> HTTPRequestHead {
            var head = HTTPRequestHead(version: .http1_1, method: method, uri: target)
            head.headers.add(name: "Host", value: "localhost")
            head.headers.add(name: "Accept", value: "application/json")
            head.headers.add(name: "Connection", value: "close")
            return head
        }
    }

    /// Sends a question, and reads the answer. Closes the connection.
    private static func converse<Result: Sendable>(
        _ question: Question, by connection: Connection, _ read: (AnswerParts) async throws -> Result
    ) async throws -> Result {
        try await connection.executeThenClose { inbound, outbound in
            // A server may answer, and end the connection, before it has all of the question: then its answer counts.
            try? await outbound.write(contentsOf: question.parts)
            return try await read(AnswerParts(inbound.makeAsyncIterator(), of: connection.channel))
        }
    }

    /// Every byte that a URL gives a meaning is written as a number.
    package static func escaped(_ text: String) -> String {
        let plain = Set("-._~".utf8)
        return text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case _ where plain.contains(byte): result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

extension ContainerError {
    /// Why an engine did not answer, of the errors of the HTTP client and of the kernel.
    init(_ error: any Error, at socket: FilePath) {
        switch error {
        case let error as ContainerError: self = error
        case let error as IOError: self.init(Errno(rawValue: error.errnoCode), at: socket)
        case SocketAddressError.unixDomainSocketPathTooLong: self.init(.fileNameTooLong, at: socket)
        case AnswerParts.Fault.late:
            self.init(
                .failed, "\(socket) did not answer in time: look whether the engine is well, and try again")
        case AnswerParts.Fault.early, HTTPParserError.invalidEOFState:
            self.init(.failed, "\(socket) does not answer as an engine does: it ended the connection too early")
        case is HTTPParserError:
            self.init(.failed, "\(socket) does not answer as an engine does: its answer is no HTTP")
        case is NIOTooManyBytesError:
            self.init(.failed, "\(socket) does not answer as an engine does: its answer is too large")
        default: self.init(.failed, "\(socket) does not answer as an engine does: \(error)")
        }
    }

    /// Why an engine's socket could not be used.
    init(_ errno: Errno, at socket: FilePath) {
        switch errno {
        case .noSuchFileOrDirectory, .notDirectory:
            self.init(
                .unavailable,
                "there is no socket \(socket): start Docker or Podman's socket, or name another with --docker-socket")
        case .connectionRefused:
            self.init(.unavailable, "nobody listens at \(socket): start Docker or Podman's socket")
        case .permissionDenied, .notPermitted:
            self.init(.notPermitted, "\(socket) does not let this user in: run meshctl as root, with sudo")
        case .resourceTemporarilyUnavailable, .timedOut:
            self.init(
                .failed, "\(socket) did not answer in time: look whether the engine is well, and try again")
        default: self.init(.failed, "\(socket) cannot be connected to: \(errno)")
        }
    }
}
