import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import SystemPackage

/// Asks one engine, or the agent, by its Unix socket.
package struct EngineClient: Sendable {
    /// The longest answer. A list of ten thousand containers has 20 MB.
    static let mostBytes = 64 << 20

    /// An answer.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    let socket: FilePath
    private let client: HTTPClient

    /// Runs the body with a client, whose connections are closed afterwards.
    package static func with<Result>(
        _ socket: FilePath, _ body: (EngineClient) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.httpVersion = .http1Only
        // Whoever asks decides whether and when to try again.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Questions do not wait for the stream of events, nor for each other.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let result = try await body(EngineClient(socket: socket, client: client))
            try? await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    /// Asks for a resource.
    ///
    /// - Parameters:
    ///   - target: the path and the query, escaped.
    ///   - limit: how long the engine may take for the whole answer.
    func get(_ target: String, within limit: Duration) async throws(ContainerError) -> Answer {
        do {
            // The client's own deadline ends with the head of the answer.
            return try await withLimit(limit) { [client, request = request(target)] in
                let response = try await client.execute(request, deadline: .distantFuture)
                let body = try await response.body.collect(upTo: Self.mostBytes)
                return Answer(status: Int(response.status.code), body: Array(buffer: body))
            }
        } catch {
            throw ContainerError(error, at: socket)
        }
    }

    /// Asks for an answer that does not end, and hands over its parts as they arrive. Returns when the engine ends it.
    ///
    /// - Parameters:
    ///   - limit: how long the engine may take to begin.
    ///   - take: called with the status before the first part, and then with each part.
    package func follow(
        _ target: String, beginningWithin limit: Duration, _ take: (Int, [UInt8]) async throws -> Void
    ) async throws {
        let response: HTTPClientResponse
        do {
            response = try await withLimit(limit) { [client, request = request(target)] in
                try await client.execute(request, deadline: .distantFuture)
            }
        } catch {
            throw ContainerError(error, at: socket)
        }
        let status = Int(response.status.code)
        try await take(status, [])
        var parts = response.body.makeAsyncIterator()
        while true {
            let part: ByteBuffer?
            do {
                part = try await parts.next()
            } catch let error as CancellationError {
                throw error
            } catch {
                throw ContainerError(error, at: socket)
            }
            guard let part else { return }
            try await take(status, Array(buffer: part))
        }
    }

    private func request(_ target: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http+unix://\(Self.escaped(socket.string))\(target)")
        request.headers.replaceOrAdd(name: "Host", value: "localhost")
        request.headers.add(name: "Accept", value: "application/json")
        return request
    }

    /// Every byte that a URL gives a meaning is written as a number.
    static func escaped(_ text: String) -> String {
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

/// Runs the body, and cancels it when the time is over.
private func withLimit<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw HTTPClientError.deadlineExceeded
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

extension Error {
    /// Whether the other side has ended the connection in the middle of its answer, or before it.
    fileprivate var isEarlyEnd: Bool {
        self as? HTTPClientError == .remoteConnectionClosed || self as? HTTPParserError == .invalidEOFState
    }
}

extension HTTPClientError {
    fileprivate var isTooLate: Bool {
        [.deadlineExceeded, .connectTimeout, .getConnectionFromPoolTimeout, .readTimeout].contains(self)
    }
}

extension ContainerError {
    /// Why an engine did not answer, of the errors of the HTTP client and of the kernel.
    init(_ error: any Error, at socket: FilePath) {
        switch error {
        case let error as ContainerError: self = error
        case let error as IOError: self.init(Errno(rawValue: error.errnoCode), at: socket)
        case SocketAddressError.unixDomainSocketPathTooLong: self.init(.fileNameTooLong, at: socket)
        case let error as HTTPClientError where error.isTooLate:
            self.init(
                .failed, "\(socket) did not answer in time: look whether the engine is well, and try again")
        case _ where error.isEarlyEnd:
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
