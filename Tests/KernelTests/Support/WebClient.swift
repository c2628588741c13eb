import IPVSKit
import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A connection to a web server, for one request after the other. Used on one thread, in the client's namespace.
final class WebConnection {
    private let socket: TrafficSocket

    init(_ address: IPAddress, port: UInt16 = 1080, from: IPAddress? = nil) throws(Errno) {
        socket = try TrafficSocket(.tcp, address.family)
        socket.setTimeout(seconds: 20)
        if let from { try socket.bind(from) }
        try socket.connect(address, port: port)
    }

    /// Asks for a file, and gives it whole, or says what went wrong.
    func get(_ path: String) -> Result<String, Failure> {
        do throws(Errno) {
            try socket.send("GET \(path) HTTP/1.1\r\nHost: mesh\r\n\r\n")
            var text = ""
            while true {
                let more = try socket.receive()
                if more.isEmpty { return .failure(Failure(words: "ended after \(text.utf8.count) bytes")) }
                text += more
                guard let (head, body) = Self.parts(of: text) else { continue }
                guard head.hasPrefix("HTTP/1.1 200"), let length = Self.length(in: head) else {
                    return .failure(Failure(words: "\(head.prefix(40))"))
                }
                if body.utf8.count >= length { return .success(String(body)) }
            }
        } catch {
            return .failure(Failure(words: "\(error)"))
        }
    }

    struct Failure: Error { var words: String }

    private static func parts(of text: String) -> (head: Substring, body: Substring)? {
        let bytes = text.utf8
        var rest = bytes[...]
        while let index = rest.firstIndex(of: 13) {
            rest = rest[index...]
            if rest.starts(with: [13, 10, 13, 10]) {
                return (text[..<index], text[bytes.index(index, offsetBy: 4)...])
            }
            rest = rest.dropFirst()
        }
        return nil
    }

    private static func length(in head: Substring) -> Int? {
        head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).drop { $0 == " " }) }
    }

    /// One request on a connection of its own: the file, or what went wrong.
    static func answer(_ address: IPAddress, _ path: String = "/", port: UInt16 = 1080) -> String {
        do {
            return try WebConnection(address, port: port).get(path).words
        } catch {
            return "\(error)"
        }
    }
}

extension Result<String, WebConnection.Failure> {
    var words: String {
        switch self {
        case .success(let text): text
        case .failure(let failure): failure.words
        }
    }
}

/// A download that runs while a test goes on.
struct Download: Sendable {
    private let task: Task<String, any Error>
    private let isConnected: Locked<Bool>

    init(in namespace: TestNamespace, _ address: IPAddress) {
        let isConnected = Locked(false)
        self.isConnected = isConnected
        task = Task {
            try await namespace.thread {
                do {
                    let connection = try WebConnection(address)
                    isConnected.withLock { $0 = true }
                    return connection.get("/big").words
                } catch {
                    return "\(error)"
                }
            }
        }
    }

    /// Waits until the download has begun.
    func begun() async throws {
        while !isConnected.withLock(\.self) { try await Task.sleep(for: .milliseconds(20)) }
        try await Task.sleep(for: .milliseconds(500))
    }

    /// Expects that all of it comes.
    func expectWhole() async throws {
        let result = try await result()
        #expect(result == "whole", "\(result.prefix(200))")
    }

    /// Whether all of it came, and what went wrong where it did not.
    func result() async throws -> String {
        let text = try await task.value
        return text.utf8.count == WebServer.length ? "whole" : text
    }
}

/// A client that keeps eight connections busy until it is told to stop: new ones, kept ones that ask a hundred times or
/// for some seconds, and downloads.
final class BusyClient: Sendable {
    struct Seen: Sendable {
        var requests = 0
        var downloads = 0
        /// What went wrong.
        var failed: [String] = []
        /// How often each task answered.
        var answers: [String: Int] = [:]
    }

    private let seen = Locked(Seen())
    private let isDone = Locked(false)
    private let threads: [Task<Void, any Error>]

    /// - Parameter seconds: how long a kept connection is used at most.
    init(in namespace: TestNamespace, _ addresses: [IPAddress], port: UInt16, keeping seconds: Int) {
        let (seen, isDone) = (seen, isDone)
        threads = (0..<8).map { number in
            let address = addresses[number % addresses.count]
            return Task {
                try await namespace.thread {
                    while !isDone.withLock({ $0 }) {
                        switch number / 2 {
                        case 0, 1: Self.note(seen) { WebConnection.answer(address, port: port) }
                        case 2: Self.keepAsking(address, port, .seconds(seconds), seen)
                        default: Self.note(seen, isDownload: true) { WebConnection.answer(address, "/big", port: port) }
                        }
                    }
                }
            }
        }
    }

    var requests: Int { seen.withLock(\.requests) }
    var downloads: Int { seen.withLock(\.downloads) }

    /// Stops it, and gives what it has seen.
    func stop() async throws -> Seen {
        isDone.withLock { $0 = true }
        for thread in threads { try await thread.value }
        return seen.withLock(\.self)
    }

    private static func keepAsking(_ address: IPAddress, _ port: UInt16, _ time: Duration, _ seen: Locked<Seen>) {
        do {
            let connection = try WebConnection(address, port: port)
            let end = ContinuousClock.now + time
            for _ in 0..<100 where ContinuousClock.now < end {
                note(seen) { connection.get("/").words }
                usleep(5000)
            }
        } catch {
            note(seen) { "\(error)" }
        }
    }

    private static func note(_ seen: Locked<Seen>, isDownload: Bool = false, _ answer: () -> String) {
        let answer = answer()
        let isGood = isDownload ? answer.utf8.count == WebServer.length : answer.hasPrefix("task")
        seen.withLock {
            $0.requests += 1
            if isDownload { $0.downloads += 1 } else { $0.answers[answer, default: 0] += 1 }
            if !isGood, $0.failed.count < 20 { $0.failed.append(String(answer.prefix(100))) }
        }
    }
}
