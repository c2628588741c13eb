import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A server in this process: answers whatever it is sent with `task1 10.1.0.2 80`: who it is, whom it sees, and at
/// which of its ports. One thread for all of its sockets, until it is stopped.
final class Responder: Sendable {
    struct Port: Sendable {
        var transport: TransportProtocol
        var number: UInt16
    }

    private let end: CInt

    /// - Parameter address: where it listens; nil for everywhere, in both families.
    init(_ name: String, in namespace: TestNamespace, on ports: [Port], at address: IPAddress? = nil) async throws {
        var pipe: [CInt] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw Errno(rawValue: errno) }
        for descriptor in pipe { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let (readEnd, writeEnd) = (pipe[0], pipe[1])
        end = writeEnd
        let families = address.map { [$0.family] } ?? AddressFamily.allCases
        let listeners = try await namespace.thread {
            try ports.flatMap { port in
                try families.map { family in
                    let socket = try TrafficSocket(port.transport, family, isBlocking: false)
                    try socket.bind(address, port: port.number)
                    try socket.listen()
                    return Listener(socket: socket, port: port)
                }
            }
        }
        // Sockets stay in the namespace that they were made in; the thread need not.
        Swift.Task.detached {
            _ = try? await DetachedThread.run { () throws(Errno) in
                var loop = Loop(name: name, listeners: listeners, end: readEnd)
                loop.run()
                close(readEnd)
            }
        }
    }

    /// Ends it, once.
    func stop() {
        // The byte, and not the end of the pipe alone, which a program started meanwhile may have a copy of.
        _ = write(end, "!", 1)
        close(end)
    }

    fileprivate struct Listener: Sendable {
        var socket: TrafficSocket
        var port: Port
    }
}

/// What the thread does.
private struct Loop {
    let name: String
    let listeners: [Responder.Listener]
    var connections: [CInt: (client: IPAddress?, port: UInt16)] = [:]
    var polled: [pollfd]

    init(name: String, listeners: [Responder.Listener], end: CInt) {
        self.name = name
        self.listeners = listeners
        polled = ([end] + listeners.map(\.socket.descriptor)).map(Self.readable)
    }

    private static func readable(_ descriptor: CInt) -> pollfd {
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    }

    mutating func run() {
        while poll(&polled, nfds_t(polled.count), -1) >= 0 || errno == EINTR {
            if polled[0].revents != 0 { break }
            for (index, listener) in listeners.enumerated() where polled[index + 1].revents != 0 {
                if listener.port.transport == .udp { answerDatagrams(listener) } else { accept(listener) }
            }
            var ended: Set<CInt> = []
            for entry in polled.dropFirst(listeners.count + 1) where entry.revents != 0 {
                if !answer(entry.fd) { ended.insert(entry.fd) }
            }
            guard !ended.isEmpty else { continue }
            polled.removeAll { ended.contains($0.fd) }
            for descriptor in ended {
                connections[descriptor] = nil
                close(descriptor)
            }
        }
        for descriptor in connections.keys { close(descriptor) }
    }

    private mutating func accept(_ listener: Responder.Listener) {
        while true {
            var descriptor: CInt = -1
            let client = SocketAddress { pointer, length in
                descriptor = Glibc.accept(listener.socket.descriptor, pointer, length)
            }
            guard descriptor >= 0 else { return }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            connections[descriptor] = (client.address, listener.port.number)
            polled.append(Self.readable(descriptor))
        }
    }

    private func text(for client: IPAddress?, _ port: UInt16) -> String {
        "\(name) \(client.map(\.description) ?? "nobody") \(port)"
    }

    /// False once the client has gone.
    private func answer(_ descriptor: CInt) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && errno == EAGAIN }
        guard let connection = connections[descriptor] else { return false }
        let text = text(for: connection.client, connection.port)
        return send(descriptor, text, text.utf8.count, CInt(MSG_NOSIGNAL)) >= 0
    }

    private func answerDatagrams(_ listener: Responder.Listener) {
        var buffer = [UInt8](repeating: 0, count: 512)
        while true {
            var count = -1
            let client = SocketAddress { pointer, length in
                count = recvfrom(listener.socket.descriptor, &buffer, buffer.count, 0, pointer, length)
            }
            guard count >= 0 else { return }
            let text = text(for: client.address, listener.port.number)
            _ = client.withPointer {
                sendto(listener.socket.descriptor, text, text.utf8.count, CInt(MSG_NOSIGNAL), $0, $1)
            }
        }
    }
}
