import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.TrafficTests {
    /// The same 500 ports of a client, at once to two published ports with one target: to the task, the second
    /// connection from a port would be the first once more.
    @Test(arguments: RuleTool.tested) func twoPortsWithOneTargetTakeTheSameClients(tool: RuleTool) async throws {
        try await MeshHost.with(tasks: 1, rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.configure { state in
                for port: UInt16 in [1080, 1081] {
                    try state.publish(PortBinding(port, .tcp), target: 80, service: "nginx")
                }
                try state.addTasks(of: host)
            }
            for (near, far) in host.places {
                let answers = try await host.client.thread {
                    try Self.exchangeAtOnce(with: near, ports: [1080, 1081], from: 20000..<20500)
                }
                #expect(counted(answers) == ["task1 \(far) 80": 1000])
            }
        }
    }

    /// Opens all connections, and holds them, before the first is used.
    private static func exchangeAtOnce(
        with address: IPAddress, ports: [UInt16], from sources: Range<UInt16>
    ) throws -> [String] {
        var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        guard setrlimit(resource, &limit) == 0 else { throw Errno(rawValue: errno) }
        let sockets = try ports.flatMap { port in
            try sources.map { source in
                let socket = try TrafficSocket(.tcp, address.family, isBlocking: false)
                try socket.bind(port: source)
                socket.endAbruptly()
                do throws(Errno) { try socket.connect(address, port: port) } catch {
                    guard error == .init(rawValue: EINPROGRESS) else { throw error }
                }
                return socket
            }
        }
        // For all of them together, or a fault would take minutes to show.
        let deadline = ContinuousClock.now + .seconds(20)
        for socket in sockets { _ = socket.waits(for: POLLOUT, until: deadline) }
        for socket in sockets { try? socket.send("?") }
        return sockets.map { socket in
            guard socket.waits(for: POLLIN, until: deadline) else { return "no answer" }
            do { return try socket.receive() } catch { return "\(error)" }
        }
    }

    /// What becomes of other ports and their tasks concerns nobody.
    @Test(arguments: RuleTool.tested) func changesOfOtherPortsDisturbNobody(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.publishTasks()
            let count = soaked(2000)
            let isDone = Locked(false)
            let (client, addresses) = (host.client, host.places.map(\.near))
            async let answers = client.thread {
                var answers: [String: Int] = [:]
                while !isDone.withLock({ $0 }) {
                    for near in addresses {
                        answers[Request.steady(near, port: 1080).answer(), default: 0] += 1
                    }
                    // A client of its own port each time could run out of them.
                    usleep(2000)
                }
                return answers
            }
            let ran = try await host.node.run([
                try BuiltProducts.path("ChurnProbe"), host.stateDirectory.string, tool.rawValue, "\(count)",
            ])
            isDone.withLock { $0 = true }
            let seen = try await answers
            #expect(ran.output == "\(count) changes\n", "\(ran)")
            let expected = Set(host.places.flatMap { ["task1 \($0.far) 80", "task2 \($0.far) 80"] })
            #expect(Set(seen.keys) == expected, "\(seen)")
            // That there were any, all the while.
            print("\(tool): \(count) changes, \(seen.values.reduce(0, +)) connections meanwhile")
            #expect(seen.values.reduce(0, +) > count)
        }
    }
}

extension TrafficSocket {
    /// False where it is not ready in time.
    fileprivate func waits(for event: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        let left = max(.zero, ContinuousClock.now.duration(to: deadline))
        return poll(&polled, 1, Int32(left / .milliseconds(1))) > 0
    }
}
