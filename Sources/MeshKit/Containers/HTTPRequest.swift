import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A request to a program of this host that speaks HTTP/1.1 at a Unix socket.
enum HTTPRequest {
    /// Asks for a resource. Blocks the calling thread until the deadline at most, whatever the other side does.
    ///
    /// - Parameter target: the path of the resource, which must need no escaping.
    static func get(
        _ target: String, at path: FilePath, until deadline: ContinuousClock.Instant
    ) throws(UnixSocketError) -> HTTPResponse {
        let socket = try UnixSocket(connectingTo: path, until: deadline)
        defer { socket.close() }
        let text = "GET \(target) HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        try socket.send(Array(text.utf8))
        var parser = HTTPResponseParser()
        while true {
            let bytes = try socket.receive(until: deadline)
            do throws(HTTPFault) {
                if bytes.isEmpty { return try parser.finish() }
                if let response = try parser.take(bytes) { return response }
            } catch {
                throw .malformed(error)
            }
        }
    }
}

/// Why a request had no answer.
enum UnixSocketError: Error, Hashable {
    case cannotConnect(Errno)
    case interrupted(Errno)
    case tooLate
    case malformed(HTTPFault)
}

/// A connection to a Unix socket.
private struct UnixSocket {
    private let descriptor: FileDescriptor

    init(connectingTo path: FilePath, until deadline: ContinuousClock.Instant) throws(UnixSocketError) {
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .cannotConnect(Errno(rawValue: errno)) }
        descriptor = FileDescriptor(rawValue: number)
        do {
            try connect(to: path, until: deadline)
        } catch {
            close()
            throw error
        }
    }

    /// A socket waits for a place in the queue of a listener that accepts nobody for as long as it may send.
    private func connect(to path: FilePath, until deadline: ContinuousClock.Instant) throws(UnixSocketError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.string.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .cannotConnect(.fileNameTooLong) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let (seconds, rest) = deadline.remaining.components
        var limit = timeval(tv_sec: Int(seconds), tv_usec: max(1, Int(rest / 1_000_000_000_000)))
        setsockopt(descriptor.rawValue, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout.size(ofValue: limit)))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result != 0 else { return }
        throw errno == EAGAIN ? .tooLate : .cannotConnect(Errno(rawValue: errno))
    }

    func close() { try? descriptor.close() }

    func send(_ bytes: [UInt8]) throws(UnixSocketError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw errno == EAGAIN ? .tooLate : .interrupted(Errno(rawValue: errno)) }
            sent += count
        }
    }

    /// The next bytes; empty if the other side has ended.
    func receive(until deadline: ContinuousClock.Instant) throws(UnixSocketError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let milliseconds = deadline.remaining / Duration.milliseconds(1)
            guard milliseconds > 0 else { throw .tooLate }
            var waiting = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(min(milliseconds.rounded(.up), 1e6)))
            if ready == 0 || (ready < 0 && errno == EINTR) { continue }
            let count = recv(descriptor.rawValue, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count >= 0 else { throw .interrupted(Errno(rawValue: errno)) }
            return Array(bytes[..<count])
        }
    }
}

extension ContinuousClock.Instant {
    /// The time until this instant; zero if it has passed.
    fileprivate var remaining: Duration { max(.zero, self - .now) }
}
