import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Clients and servers in this process: a program for each request would take longer than the request.
extension TestNamespace {
    /// One HTTP request on a connection of its own for each answer; `nil` stands for none within two seconds.
    func get(_ address: IPAddress, port: UInt16, count: Int, fromPort: UInt16? = nil) async throws -> [String] {
        try await thread {
            try (0..<count).map { _ in
                let socket = try TestSocket(address.family, SOCK_STREAM)
                if let fromPort { try socket.bind(port: fromPort) }
                do {
                    try socket.connect(address, port: port)
                    try socket.send("GET / HTTP/1.0\r\n\r\n")
                    return socket.receiveAll().components(separatedBy: "\r\n\r\n").last ?? ""
                } catch let error as Errno {
                    return "\(error)"
                }
            }
        }
    }

    /// One datagram from a socket of its own for each answer.
    func ask(_ address: IPAddress, port: UInt16, count: Int) async throws -> [String] {
        try await thread {
            try (0..<count).map { _ in
                let socket = try TestSocket(address.family, SOCK_DGRAM)
                try socket.connect(address, port: port)
                try socket.send("?")
                return socket.receiveOnce()
            }
        }
    }

    /// Answers every datagram with its name and the address it came from, until the socket is closed.
    func answerDatagrams(on port: UInt16, family: AddressFamily, name: String) async throws -> TestSocket {
        let socket = try await thread {
            let socket = try TestSocket(family, SOCK_DGRAM)
            try socket.bind(port: port)
            return socket
        }
        // Lives until the test closes the socket.
        Swift.Task.detached {
            _ = try? await self.thread { socket.answer(with: name) }
        }
        return socket
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}

/// A socket with a time-out of two seconds, closed with its last owner.
final class TestSocket: Sendable {
    private let descriptor: CInt
    private let family: AddressFamily
    private let isShutDown = Locked(false)

    /// Made in the namespace of the calling thread.
    init(_ family: AddressFamily, _ type: __socket_type) throws {
        descriptor = socket(CInt(family.rawValue), CInt(type.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        self.family = family
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit { close(descriptor) }

    func bind(port: UInt16) throws {
        let any = family == .ipv4 ? IPAddress("0.0.0.0") : IPAddress("::")
        guard any.withSocketAddress(port: port, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
            throw Errno(rawValue: errno)
        }
    }

    func connect(_ address: IPAddress, port: UInt16) throws {
        guard address.withSocketAddress(port: port, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            throw Errno(rawValue: errno)
        }
    }

    func send(_ text: String) throws {
        guard Glibc.send(descriptor, text, text.utf8.count, CInt(MSG_NOSIGNAL)) == text.utf8.count else {
            throw Errno(rawValue: errno)
        }
    }

    func receiveOnce() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? "\(Errno(rawValue: errno))" : String(decoding: buffer[..<count], as: UTF8.self)
    }

    func receiveAll() -> String {
        var text = ""
        while true {
            let part = receiveOnce()
            if part.isEmpty { return text }
            text += part
        }
    }

    func answer(with name: String) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var peer = sockaddr_storage()
        // Looks every two seconds, when its time-out ends the wait.
        while !isShutDown.withLock({ $0 }) {
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count >= 0, let address = IPAddress(peer) else { return }
            let text = "\(name) \(address)"
            _ = withUnsafePointer(to: peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, text, text.utf8.count, 0, $0, length)
                }
            }
        }
    }

    func shutdown() { isShutDown.withLock { $0 = true } }
}

extension IPAddress {
    fileprivate init?(_ storage: sockaddr_storage) {
        let text: String? = withUnsafePointer(to: storage) { pointer in
            var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let result = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo(
                    $0, socklen_t(MemoryLayout<sockaddr_storage>.size), &buffer, socklen_t(buffer.count), nil, 0,
                    NI_NUMERICHOST)
            }
            guard result == 0 else { return nil }
            return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard let text, let address: IPAddress = .init(text) else { return nil }
        self = address
    }

    /// As the socket calls want it.
    fileprivate func withSocketAddress<Result>(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        getaddrinfo(description, String(port), &hints, &list)
        defer { freeaddrinfo(list) }
        return body(list!.pointee.ai_addr, list!.pointee.ai_addrlen)
    }
}
