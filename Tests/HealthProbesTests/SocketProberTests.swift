import IPVSKit
import MeshKit
import SystemPackage
import Testing

@testable import HealthProbes

#if canImport(Glibc)
    import Glibc
#endif

/// Probes of real sockets on this host.
@Suite(.timeLimit(.minutes(5))) struct SocketProberTests {
    /// A listener on a port that the kernel chooses, which answers every connection with the same text.
    private final class Server: Sendable {
        let port: UInt16
        private let descriptor: CInt

        /// - Parameter answer: nil keeps the connections open without a word.
        init(_ family: AddressFamily = .ipv4, answer: String?) throws {
            let number = try Self.bound(family, SOCK_STREAM)
            descriptor = number
            guard listen(number, 128) == 0 else { throw Errno(rawValue: errno) }
            port = Self.port(of: number)
            Thread.start {
                while true {
                    let client = accept(number, nil, nil)
                    guard client >= 0 else { return }
                    guard let answer else { continue }
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    _ = recv(client, &buffer, buffer.count, 0)
                    _ = send(client, answer, answer.utf8.count, CInt(MSG_NOSIGNAL))
                    close(client)
                }
            }
        }

        static func bound(_ family: AddressFamily, _ type: __socket_type) throws -> CInt {
            let number = socket(family == .ipv4 ? AF_INET : AF_INET6, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard number >= 0 else { throw Errno(rawValue: errno) }
            let bound =
                if family == .ipv4 {
                    withName(sockaddr_in.self) { name in
                        name.sin_family = sa_family_t(AF_INET)
                        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                    } _: {
                        bind(number, $0, $1)
                    }
                } else {
                    withName(sockaddr_in6.self) { name in
                        name.sin6_family = sa_family_t(AF_INET6)
                        name.sin6_addr = in6addr_loopback
                    } _: {
                        bind(number, $0, $1)
                    }
                }
            guard bound == 0 else { throw Errno(rawValue: errno) }
            return number
        }

        private static func withName<Name>(
            _ type: Name.Type, _ fill: (inout Name) -> Void, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
        ) -> CInt {
            withUnsafeTemporaryAllocation(of: Name.self, capacity: 1) { buffer in
                memset(buffer.baseAddress!, 0, MemoryLayout<Name>.size)
                fill(&buffer[0])
                return UnsafeRawPointer(buffer.baseAddress!).withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<Name>.size))
                }
            }
        }

        static func port(of number: CInt) -> UInt16 {
            var (name, length) = (sockaddr_in6(), socklen_t(MemoryLayout<sockaddr_in6>.size))
            _ = withUnsafeMutablePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
            }
            // Both families have the port at the same place.
            return UInt16(bigEndian: name.sin6_port)
        }

        func stop() { shutdown(descriptor, Int32(SHUT_RDWR)); close(descriptor) }
    }

    private enum Thread {
        static func start(_ body: @escaping @Sendable () -> Void) {
            final class Box: Sendable {
                let body: @Sendable () -> Void
                init(_ body: @escaping @Sendable () -> Void) { self.body = body }
            }
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                { pointer in
                    Unmanaged<Box>.fromOpaque(pointer!).takeRetainedValue().body()
                    return nil
                }, Unmanaged.passRetained(Box(body)).toOpaque())
            pthread_detach(thread)
        }
    }

    private func probe(
        _ method: HealthCheck.Method, _ port: UInt16, at address: IPAddress = "127.0.0.1",
        timeout: Duration = .seconds(60)
    ) -> HealthProbe {
        HealthProbe(
            service: "web", task: address, address: address, port: port, method: method, timeout: timeout, place: .node)
    }

    private func answer(to probe: HealthProbe) async -> HealthAnswer? {
        await SocketProber().probe([probe], from: ProbeSite(namespace: nil))[probe]
    }

    static func reply(_ status: Int) -> String {
        "HTTP/1.1 \(status) Words\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    }

    @Test(arguments: [(AddressFamily.ipv4, "127.0.0.1"), (.ipv6, "::1")] as [(AddressFamily, IPAddress)])
    func tcp(family: AddressFamily, address: IPAddress) async throws {
        let server = try Server(family, answer: nil)
        #expect(await answer(to: probe(.tcp, server.port, at: address)) == .good)
        server.stop()
        #expect(await answer(to: probe(.tcp, server.port, at: address)) == .bad("Connection refused"))
    }

    /// A listener whose queue is full says nothing.
    @Test func tcpWithoutAnswer() async throws {
        let number = try Server.bound(.ipv4, SOCK_STREAM)
        guard listen(number, 0) == 0 else { throw Errno(rawValue: errno) }
        let port = Server.port(of: number)
        // The queue takes one or two, which stay until the end of the test.
        let clients = (0..<4).map { _ in
            socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        for client in clients {
            let address: IPAddress = "127.0.0.1"
            _ = address.withSocketAddress(port: port) { connect(client, $0, $1) }
        }
        #expect(await answer(to: probe(.tcp, port, timeout: .milliseconds(300))) == .bad("no answer in time"))
        for descriptor in clients + [number] { close(descriptor) }
    }

    @Test(
        arguments: [
            (SocketProberTests.reply(200), .good), (SocketProberTests.reply(204), .good),
            (SocketProberTests.reply(302), .good), (SocketProberTests.reply(404), .bad("status 404")),
            (SocketProberTests.reply(503), .bad("status 503")), ("", .bad("it ended the connection")),
        ] as [(String, HealthAnswer)])
    func http(text: String, expected: HealthAnswer) async throws {
        let server = try Server(answer: text)
        defer { server.stop() }
        let answer = await answer(to: probe(.http(path: "/healthz"), server.port))
        #expect(answer == expected)
    }

    @Test func httpStatusOfOnesChoice() async throws {
        let server = try Server(answer: Self.reply(404))
        defer { server.stop() }
        let answer = await answer(
            to: probe(.http(path: "/", host: "a.example", statuses: 404...404), server.port))
        #expect(answer == .good)
    }

    @Test(arguments: ["SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}", "HTTP/1.1 200", "HTTP/9.9 abc\r\n\r\n"])
    func aServerThatSpeaksSomethingElse(text: String) async throws {
        let server = try Server(answer: text)
        defer { server.stop() }
        let answer = await answer(to: probe(.http(path: "/"), server.port))
        guard case .bad = answer else {
            Issue.record("\(String(describing: answer))")
            return
        }
    }

    @Test func httpWithoutAnswer() async throws {
        let server = try Server(answer: nil)
        defer { server.stop() }
        let start = ContinuousClock.now
        #expect(
            await answer(to: probe(.http(path: "/"), server.port, timeout: .milliseconds(300)))
                == .bad("no answer in time"))
        #expect(ContinuousClock.now - start >= .milliseconds(300))
    }

    @Test func udp() async throws {
        let number = try Server.bound(.ipv4, SOCK_DGRAM)
        let port = Server.port(of: number)
        #expect(await answer(to: probe(.udp, port, timeout: .milliseconds(300))) == .good)
        close(number)
        // An address of this host at which nobody listens: the port itself may be somebody else's by now.
        #expect(await answer(to: probe(.udp, port, at: "127.77.0.1")) == .bad("Connection refused"))
    }

    /// All at the same time, and an answer for each.
    @Test func manyAtOnce() async throws {
        let server = try Server(answer: Self.reply(200))
        defer { server.stop() }
        let silent = try Server(answer: nil)
        defer { silent.stop() }
        var probes = (0..<20).map { number in
            var probe = probe(.http(path: "/\(number)"), server.port)
            probe.service = "\(number)"
            return probe
        }
        probes.append(probe(.http(path: "/"), silent.port, timeout: .milliseconds(500)))
        let answers = await SocketProber().probe(probes, from: ProbeSite(namespace: nil))
        #expect(probes.dropLast().map { answers[$0] } == Array(repeating: .good, count: 20))
        #expect(answers[probes.last!] == .bad("no answer in time"))
    }
}
