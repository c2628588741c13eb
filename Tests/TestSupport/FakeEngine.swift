import Dispatch
import Synchronization
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A server at a Unix socket that answers HTTP requests as a test says, for instance as Docker's Engine API does.
package final class FakeEngine: Sendable {
    /// What becomes of a connection once its request has arrived.
    package enum Reply: Sendable {
        /// Sends the bytes and closes the connection.
        case text(String)
        /// Sends the bytes one by one, with a pause after each.
        case slowly(String)
        /// Ends its side of the connection after the bytes, and keeps the other open.
        case half(String)
        /// Keeps the connection open without a word.
        case silence
        /// Begins an answer that goes on with what ``FakeEngine/tell(_:)`` says.
        case stream
    }

    package let path: FilePath
    private let listener: FileDescriptor
    private let received = Mutex<[String]>([])
    private let open = Mutex<[FileDescriptor]>([])
    private let streams = Mutex<[FileDescriptor]>([])

    /// The first lines of the requests until now.
    package var requests: [String] { received.withLock(\.self) }

    /// The number of streams that are open.
    package var streamCount: Int { streams.withLock(\.count) }

    /// Goes on with all streams.
    package func tell(_ text: String) {
        for client in streams.withLock(\.self) { send(Reply.chunk(text), to: client) }
    }

    /// Ends all streams, in the middle of their answers.
    package func endStreams() {
        streams.withLock { clients in
            for client in clients { try? client.close() }
            clients = []
        }
    }

    /// Runs the body while a server listens at a new socket in the folder.
    package static func with<Result>(
        in directory: FilePath, named name: String = "docker.sock", reply: @escaping @Sendable (String) -> Reply,
        _ body: (FakeEngine) async throws -> Result
    ) async throws -> Result {
        let engine = try FakeEngine(path: directory.appending(name), queue: 64)
        DispatchQueue(label: "engine").async { engine.serve(reply) }
        defer { engine.stop() }
        return try await body(engine)
    }

    /// A listener that accepts nobody, with a full queue.
    package static func withoutAcceptance<Result>(
        in directory: FilePath, _ body: (FilePath) async throws -> Result
    ) async throws -> Result {
        let engine = try FakeEngine(path: directory.appending("full.sock"), queue: 1)
        defer { engine.stop() }
        while let client = try engine.fill() { engine.open.withLock { $0.append(client) } }
        return try await body(engine.path)
    }

    /// - Parameter queue: how many clients wait until they are accepted.
    private init(path: FilePath, queue: CInt) throws {
        self.path = path
        listener = FileDescriptor(rawValue: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        let bound = Self.withAddress(path) { bind(listener.rawValue, $0, $1) }
        guard bound == 0, listen(listener.rawValue, queue) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Connects a client; nil if the queue is full.
    private func fill() throws -> FileDescriptor? {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let client = FileDescriptor(rawValue: socket(AF_UNIX, Int32(type), 0))
        if Self.withAddress(path, { connect(client.rawValue, $0, $1) }) == 0 { return client }
        let error = Errno(rawValue: errno)
        try client.close()
        guard error == .resourceTemporarilyUnavailable else { throw error }
        return nil
    }

    private static func withAddress(_ path: FilePath, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private func serve(_ reply: @Sendable (String) -> Reply) {
        while true {
            let number = accept(listener.rawValue, nil, nil)
            guard number >= 0 else { return }
            let client = FileDescriptor(rawValue: number)
            var request: [UInt8] = []
            while !request.isWholeRequest {
                var bytes = [UInt8](repeating: 0, count: 4096)
                let count = recv(number, &bytes, bytes.count, 0)
                guard count > 0 else { break }
                request += bytes[..<count]
            }
            let line = String(String(decoding: request, as: UTF8.self).prefix { $0 != "\r\n" && $0 != "\r" })
            received.withLock { $0.append(line) }
            switch reply(line) {
            case .text(let text):
                send(text, to: client)
                try? client.close()
            case .slowly(let text):
                for character in text.unicodeScalars {
                    guard send(String(character), to: client) else { break }
                    usleep(20_000)
                }
                try? client.close()
            case .half(let text):
                send(text, to: client)
                shutdown(number, Int32(SHUT_WR))
                open.withLock { $0.append(client) }
            case .silence: open.withLock { $0.append(client) }
            case .stream:
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", to: client)
                streams.withLock { $0.append(client) }
            }
        }
    }

    @discardableResult
    private func send(_ text: String, to client: FileDescriptor) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(client.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    private func stop() {
        shutdown(listener.rawValue, Int32(SHUT_RDWR))
        for client in open.withLock(\.self) { try? client.close() }
        endStreams()
    }

    deinit { try? listener.close() }
}

extension [UInt8] {
    /// Whether the bytes have the head of a request, and as much of a body as it says.
    fileprivate var isWholeRequest: Bool {
        let text = String(decoding: self, as: UTF8.self)
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        let length = parts[0].lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst("content-length: ".count)) }
        return parts[1].utf8.count >= length ?? 0
    }
}

extension FakeEngine.Reply {
    /// A document, in chunks as Docker sends it.
    package static func json(_ text: String, status: String = "200 OK") -> Self {
        let middle = text.utf8.index(text.startIndex, offsetBy: text.utf8.count / 2)
        let chunks = [text[..<middle], text[middle...]].map { part in
            part.isEmpty ? "" : chunk(part)
        }
        return .text(
            "HTTP/1.1 \(status)\r\nApi-Version: 1.48\r\nContent-Type: application/json\r\nConnection: close\r\n"
                + "Transfer-Encoding: chunked\r\n"
                + "\r\n\(chunks.joined())0\r\n\r\n")
    }

    /// A part of an answer in chunks.
    static func chunk(_ part: some StringProtocol) -> String {
        "\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n"
    }

    /// The description of a container, shortened.
    package static func container(_ name: String, process: Int, isRunning: Bool = true) -> Self {
        .json(
            """
            {"Id":"4f6a0c9d2b1e","Created":"2026-01-01T00:00:00Z","Path":"/bin/sh","Args":["-c","é"],
            "State":{"Status":"\(isRunning ? "running" : "exited")","Running":\(isRunning),"Paused":false,
            "Pid":\(process),"ExitCode":0},"Name":"/\(name)","HostConfig":{"NetworkMode":"bridge"}}
            """)
    }

    package static func unknown(_ name: String) -> Self {
        .json(#"{"message":"No such container: \#(name)"}"#, status: "404 Not Found")
    }
}
