import IPVSKit
import MeshKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The sockets of probes that begin at the same time.
struct ProbeSockets {
    private struct Pending {
        var probe: HealthProbe
        var socket: FileDescriptor
        var end: ContinuousClock.Instant
    }

    /// Opens sockets in the namespace of the calling thread, and blocks it until each has connected or failed. A socket of
    /// UDP is connected at once; then it is waited for a message that nobody listens.
    static func open(_ probes: [HealthProbe]) -> [HealthProbe: SocketProber.Opened] {
        var result: [HealthProbe: SocketProber.Opened] = [:]
        var pending: [Pending] = []
        let now = ContinuousClock.now
        for probe in probes {
            do throws(Errno) {
                pending.append(Pending(probe: probe, socket: try begin(probe), end: now + probe.timeout))
            } catch {
                result[probe] = .answered(answer(to: error))
            }
        }
        while !pending.isEmpty {
            let next = pending.map(\.end).min()! - .now
            let isUDP = pending.map { $0.probe.method == .udp }
            var polled = zip(pending, isUDP).map {
                pollfd(fd: $0.socket.rawValue, events: Int16($1 ? POLLIN : POLLOUT), revents: 0)
            }
            let milliseconds = max(0, min(next / .milliseconds(1), 60_000)).rounded(.up)
            guard poll(&polled, nfds_t(polled.count), CInt(milliseconds)) >= 0 || errno == EINTR else {
                let failure = Errno(rawValue: errno)
                for entry in pending {
                    result[entry.probe] = .answered(.unknown("waiting failed: \(failure)"))
                    try? entry.socket.close()
                }
                break
            }
            var left: [Pending] = []
            for (entry, polled) in zip(pending, polled) {
                if let opened = state(of: entry, isReady: polled.revents != 0) {
                    result[entry.probe] = opened
                } else {
                    left.append(entry)
                }
            }
            pending = left
        }
        return result
    }

    /// What came of a socket; nil if it has to be waited for. Closes it unless it goes on to be used.
    private static func state(of entry: Pending, isReady: Bool) -> SocketProber.Opened? {
        let isOver = entry.end <= .now
        guard isReady || isOver else { return nil }
        var answer: HealthAnswer?
        if isReady {
            var (error, length) = (CInt(0), socklen_t(MemoryLayout<CInt>.size))
            getsockopt(entry.socket.rawValue, SOL_SOCKET, SO_ERROR, &error, &length)
            if error != 0 {
                answer = Self.answer(to: Errno(rawValue: error))
            } else if case .http = entry.probe.method {
                return .connected(entry.socket, left: max(.zero, entry.end - .now))
            } else {
                answer = .good
            }
        } else {
            answer = entry.probe.method == .udp ? .good : .bad("no answer in time")
        }
        try? entry.socket.close()
        return answer.map { .answered($0) }
    }

    private static func begin(_ probe: HealthProbe) throws(Errno) -> FileDescriptor {
        let isUDP = probe.method == .udp
        let type = Int32((isUDP ? SOCK_DGRAM : SOCK_STREAM).rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let number = socket(probe.address.family == .ipv4 ? AF_INET : AF_INET6, type, 0)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        let descriptor = FileDescriptor(rawValue: number)
        var failure = Errno(rawValue: 0)
        if !isUDP { resetAtEnd(number) }
        if probe.address.withSocketAddress(port: probe.port, { connect(number, $0, $1) }) != 0, errno != EINPROGRESS {
            failure = Errno(rawValue: errno)
        } else if isUDP, send(number, nil, 0, CInt(MSG_NOSIGNAL)) < 0 {
            failure = Errno(rawValue: errno)
        }
        guard failure.rawValue == 0 else {
            try? descriptor.close()
            throw failure
        }
        return descriptor
    }

    /// A probe leaves no connection behind that the kernel remembers for a minute.
    private static func resetAtEnd(_ number: CInt) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    /// What an error says: of the task, or of this node, which is short of something.
    static func answer(to error: Errno) -> HealthAnswer {
        switch error {
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .notPermitted,
            .addressNotAvailable, .addressFamilyNotSupported:
            .unknown("\(error)")
        default: .bad("\(error)")
        }
    }
}
