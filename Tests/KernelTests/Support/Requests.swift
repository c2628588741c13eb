import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// One exchange with a ``Responder``, on a socket of its own.
struct Request: Sendable {
    var transport = TransportProtocol.tcp
    var address: IPAddress
    var port: UInt16
    /// The client's address; nil leaves it to the kernel.
    var from: IPAddress?
    /// The client's port, by default one that no request has had for long: what IPVS and conntrack still know of a
    /// port's former connection is not to matter by chance. Nil leaves it to the kernel.
    var fromPort: UInt16? = SourcePorts.next()
    /// By which interface a link-local address is reached, or is one.
    var interface: String?
    /// Ends with a reset, so that the client's port is free at once.
    var endsAbruptly = false
    /// After how many seconds without an answer it gives up; nil for the usual time of a socket.
    var patience: Int?

    /// One of many requests that go on while something changes, none of which may be lost. It waits so long that a lost
    /// connection fails, and not one of a guest that stood still for a moment.
    static func steady(_ address: IPAddress, port: UInt16, over transport: TransportProtocol = .tcp) -> Self {
        Self(transport: transport, address: address, port: port, endsAbruptly: true, patience: 10)
    }

    /// The answer, or what went wrong, in the namespace of the calling thread.
    func answer() -> String {
        do throws(Errno) {
            let socket = try TrafficSocket(transport, address.family)
            if let patience { socket.setTimeout(seconds: patience) }
            if from != nil || fromPort != nil {
                try socket.bind(from, port: fromPort ?? 0, interface: from?.isLinkLocal == true ? interface : nil)
            }
            if endsAbruptly, transport != .udp { socket.endAbruptly() }
            try socket.connect(address, port: port, interface: address.isLinkLocal ? interface : nil)
            try socket.send("?")
            return try socket.receive()
        } catch {
            return "\(error)"
        }
    }
}

extension TestNamespace {
    /// An answer for each request, one after the other. Three in a row that hang end it: then there are fewer answers,
    /// and the test fails sooner.
    func answers(to requests: [Request]) async throws -> [String] {
        try await thread {
            var answers: [String] = []
            var hung = 0
            for request in requests {
                let start = ContinuousClock.now
                answers.append(request.answer())
                hung = start.duration(to: .now) < .milliseconds(1900) ? 0 : hung + 1
                if hung == 3 { break }
            }
            return answers
        }
    }

    /// The same request many times: how often there was which answer.
    func ask(
        _ transport: TransportProtocol, _ address: IPAddress, _ port: UInt16, times: Int = 1, from: IPAddress? = nil,
        fromPort: UInt16? = nil, interface: String? = nil
    ) async throws -> [String: Int] {
        let requests = (0..<times).map { _ in
            var request = Request(
                transport: transport, address: address, port: port, from: from, interface: interface,
                endsAbruptly: fromPort != nil)
            if let fromPort { request.fromPort = fromPort }
            return request
        }
        return counted(try await answers(to: requests))
    }
}

/// Ports for clients, each of them once in a long while. The kernel chooses at random, and now and then one again that
/// IPVS remembers, for UDP five minutes long: then the client goes where it went before, and the shares are uneven.
private enum SourcePorts {
    private static let last = Locked<UInt16>(11999)

    static func next() -> UInt16 {
        last.withLock { port in
            port = port == 31999 ? 12000 : port + 1
            return port
        }
    }
}
