import Dispatch
import IPVSKit
import SystemPackage

@testable import AgentAPI

#if canImport(Glibc)
    import Glibc
#endif

/// A client that sends whatever a test wants, also what no HTTP client would send.
final class RawClient: Sendable {
    private let descriptor: CInt

    init(_ address: AgentServer.Address) throws {
        switch address {
        case .socket(let path):
            var there = sockaddr_un()
            there.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &there.sun_path) { $0.copyBytes(from: path.string.utf8) }
            descriptor = try Self.connect(AF_UNIX, there)
        case .tcp(let tcp):
            if tcp.address.family == .ipv4 {
                var there = sockaddr_in()
                there.sin_family = sa_family_t(AF_INET)
                there.sin_port = tcp.port.bigEndian
                there.sin_addr.s_addr = tcp.address.ipv4!.bigEndian
                descriptor = try Self.connect(AF_INET, there)
            } else {
                var there = sockaddr_in6()
                there.sin6_family = sa_family_t(AF_INET6)
                there.sin6_port = tcp.port.bigEndian
                withUnsafeMutableBytes(of: &there.sin6_addr) { $0[15] = 1 }
                descriptor = try Self.connect(AF_INET6, there)
            }
        }
    }

    deinit { close(descriptor) }

    private static func connect<Address>(_ family: CInt, _ address: Address) throws -> CInt {
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let result = withUnsafeBytes(of: address) {
            Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
        }
        guard result == 0 else {
            defer { close(descriptor) }
            throw Errno(rawValue: errno)
        }
        return descriptor
    }

    /// Sends as much as the server takes without a pause, by default of 200 ms.
    @discardableResult
    func send(_ text: String, pause: CInt = 200) async -> Int {
        await inBackground { [descriptor] in
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&waiting, 1, pause) > 0 else { break }
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
                }
                guard count > 0 else { break }
                rest = rest.dropFirst(count)
            }
            return text.utf8.count - rest.count
        }
    }

    /// What the server sends until it has said enough, ends the connection, or is silent for ten seconds.
    func read(until isEnough: (@Sendable (String) -> Bool)? = nil) async -> (
        text: String, hasEnded: Bool
    ) {
        await inBackground { [descriptor] in
            var bytes: [UInt8] = []
            while true {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                var part = [UInt8](repeating: 0, count: 65536)
                let isReadable = poll(&waiting, 1, 10_000) > 0
                let count = isReadable ? recv(descriptor, &part, part.count, 0) : -1
                if count > 0 { bytes += part[..<count] }
                // A long answer is decoded once: whoever reads slowly is taken for idle.
                if !isReadable || count <= 0 || isEnough?(String(decoding: bytes, as: UTF8.self)) == true {
                    return (String(decoding: bytes, as: UTF8.self), isReadable && count <= 0)
                }
            }
        }
    }

    /// Runs the body on a thread of its own: a thread of Swift's pool must not wait.
    private func inBackground<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "client").async { [self] in
                continuation.resume(returning: body())
                withExtendedLifetime(self) {}
            }
        }
    }

    /// Asks for a path on a connection of its own.
    static func ask(
        _ address: AgentServer.Address, _ path: String, method: String = "GET", body: String? = nil
    ) async throws -> (status: Int, head: String, body: String) {
        let client = try RawClient(address)
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        await client.send(
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(length)\r\n\(body ?? "")",
            pause: 10_000)
        return parse(await client.read().text)
    }

    static func parse(_ text: String) -> (status: Int, head: String, body: String) {
        let end = text.firstRange(of: "\r\n\r\n")
        let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (
            status ?? 0, end.map { String(text[..<$0.lowerBound]) } ?? text,
            end.map { String(text[$0.upperBound...]) } ?? ""
        )
    }
}
