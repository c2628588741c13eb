import IPVSKit
import MeshKit
import Netlink
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.MeshTests {
    /// A service moves from tasks that the host's routes reach to attached ones, or back, or gets another target, while
    /// clients are connected and new ones come all the time: no connection is cut and none is lost, and once those of
    /// before have ended, nothing is left of their path.
    @Test(arguments: RuleTool.tested, LiveService.Move.allCases)
    func aLivePortMovesWithoutLosingAnybody(tool: RuleTool, move: LiveService.Move) async throws {
        try await MeshNodes.with(1, rules: tool) { mesh in
            let service = try await LiveService(in: mesh, move)
            defer { service.stop() }
            let (crowds, isDone) = (service.crowds, Locked(false))
            let (clients, node) = (mesh.client, mesh.nodes[0].namespace)
            async let client = crowds[0].run(in: clients, until: isDone)
            async let own = crowds[1].run(in: node, until: isDone)
            try await service.settle(crowds)
            try await service.move(cutting: false)
            try await service.expectFormerPath(isThere: true)
            try await service.settle(crowds)
            // A new connection goes by the new path, at the same time as those of before go by theirs.
            for address in service.newAddresses {
                for transport in [TransportProtocol.tcp, .udp] {
                    let answers = try await mesh.client.ask(transport, address, 1080, times: 4)
                    #expect(answers.values.reduce(0, +) == 4)
                    #expect(answers.keys.allSatisfy(move.isNew), "\(answers)")
                }
            }
            let pass = try await mesh.meshctl("reconcile", on: 1)
            #expect(pass.hasPrefix("Nothing to do"), "\(pass)")
            try await service.settle(crowds)
            isDone.withLock { $0 = true }
            for seen in [try await client, try await own] {
                print("\(tool), \(move): \(seen.exchanges) exchanges, \(seen.new.values.reduce(0, +)) new connections")
                #expect(seen.broken == [], "\(seen.broken)")
                #expect(seen.lost == [] && seen.new.keys.allSatisfy(move.isAnswer), "\(seen.new) \(seen.lost)")
                #expect(seen.new.values.reduce(0, +) > 20)
            }

            // What ends by itself is taken down by a pass; a flow of UDP has no end that could be seen. Connections that
            // the kernel forgets while they are counted count as left, so that it may take more than one look.
            var hasPlanned = false
            try await eventually {
                let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
                guard plan.status == 2 else { return !plan.output.contains("1080/tcp") }
                hasPlanned = hasPlanned || plan.output.contains("~ IPVS    ")
                try await mesh.meshctl("reconcile", on: 1)
                return false
            }
            let left = try await mesh.run(["plan"], on: mesh.nodes[0])
            #expect(hasPlanned && left.status == 0 && left.output.contains("1080/udp"), "\(left)")
            try await mesh.meshctl("reconcile", "--now", on: 1)
            try await mesh.expectNothingPlanned()
            try await service.expectFormerPath(isThere: false)
        }
    }

    /// Whoever does not want to wait says so: then the connections of before end with the command.
    @Test(arguments: RuleTool.tested, LiveService.Move.allCases)
    func aLivePortMovesAtOnceOnDemand(tool: RuleTool, move: LiveService.Move) async throws {
        try await MeshNodes.with(1, rules: tool) { mesh in
            let service = try await LiveService(in: mesh, move)
            defer { service.stop() }
            let address = mesh.nodes[0].addresses[0]
            let open = try await mesh.client.thread { try Crowd.connect([.tcp, .udp], address) }
            #expect(open.allSatisfy { move.isOld($0.answer) }, "\(open.map(\.answer))")
            try await service.move(cutting: true)
            try await service.expectFormerPath(isThere: false)
            try await mesh.expectNothingPlanned()
            let after = try await mesh.client.thread { open.map { Crowd.ask($0.socket) } }
            #expect(!move.isAnswer(after[0]), "the connection of TCP has ended: \(after)")
            // The first datagram may find that nobody is there any more.
            let datagram = try await mesh.client.thread { Crowd.ask(open[1].socket) }
            #expect(move.isNew(datagram), "a client of UDP goes to the new task: \(after), \(datagram)")
            let answers = try await mesh.client.ask(.tcp, address, 1080, times: 4)
            #expect(answers.keys.allSatisfy(move.isNew) && answers.values.reduce(0, +) == 4, "\(answers)")
        }
    }
}

/// A published port of one node, 1080/tcp and 1080/udp, with a task `old` before a move and a task `new` after it.
struct LiveService {
    enum Move: String, CaseIterable, CustomTestStringConvertible {
        case toIngress = "host to ingress"
        case toHost = "ingress to host"
        case targetOnIngress = "another target on ingress"

        var testDescription: String { rawValue }
        var isAboutTarget: Bool { self == .targetOnIngress }
        var newName: String { isAboutTarget ? "old" : "new" }
        var newPort: String { isAboutTarget ? " 8080" : " 80" }

        func isOld(_ answer: String) -> Bool { answer.hasPrefix("old ") && answer.hasSuffix(" 80") }
        func isNew(_ answer: String) -> Bool { answer.hasPrefix(newName) && answer.hasSuffix(newPort) }
        func isAnswer(_ answer: String) -> Bool { isOld(answer) || isNew(answer) }
    }

    let mesh: MeshNodes
    let move: Move
    /// The address of the task that the host's routes reach, and the file of the attached one.
    let reached: IPAddress
    let reached6: IPAddress
    let attachedPath: String
    private let servers: [Responder]

    init(in mesh: MeshNodes, _ move: Move) async throws {
        self.mesh = mesh
        self.move = move
        let node = mesh.nodes[0].namespace
        let host = try await mesh.topology.namespace("host")
        let link = try await mesh.topology.link(node, host, number: 11)
        try await host.ip(["route add default via \(link.near4)"])
        try await host.ip(["route add default via \(link.near6)"], options: "-6")
        let attached = try await mesh.topology.namespace("attached")
        reached = link.far4
        reached6 = link.far6
        attachedPath = "/run/netns/\(attached.name)"
        let ports = ([80, 8080] as [UInt16]).flatMap { number in
            [TransportProtocol.tcp, .udp].map { Responder.Port(transport: $0, number: number) }
        }
        let beginsOnHost = move == .toIngress
        servers = [
            try await Responder(beginsOnHost ? "old" : "new", in: host, on: ports),
            try await Responder(beginsOnHost ? "new" : "old", in: attached, on: ports),
        ]
        if beginsOnHost {
            for address in [reached, reached6] {
                try await mesh.meshctl("task", "add", "nginx", "\(address)", "--local", on: 1)
            }
        } else {
            try await mesh.meshctl("task", "attach", "nginx", "--netns", attachedPath, on: 1)
        }
        try await mesh.meshctl("publish", "1080:80", "1080:80/udp", "nginx", on: 1)
    }

    /// The command that moves it.
    func move(cutting: Bool) async throws {
        let command =
            switch move {
            case .toIngress: ["task", "attach", "nginx", "--netns", attachedPath, "--replace"]
            case .toHost: ["task", "add", "nginx", "\(reached)", "--local", "--replace"]
            case .targetOnIngress: ["publish", "1080:8080", "1080:8080/udp", "nginx"]
            }
        let ran = try await mesh.run(command + (cutting ? ["--now"] : []), on: mesh.nodes[0])
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
    }

    func stop() { for server in servers { server.stop() } }

    /// The addresses of the node at which new connections are answered: a task that is added has an address of one
    /// family.
    var newAddresses: [IPAddress] {
        let addresses = mesh.nodes[0].addresses
        return move == .toHost ? [addresses[0]] : addresses
    }

    /// From elsewhere, and from the node itself by its own address and by 127.0.0.1.
    var crowds: [Crowd] {
        let addresses = mesh.nodes[0].addresses
        return [
            Crowd(holding: addresses, opening: newAddresses),
            Crowd(holding: [addresses[0], "127.0.0.1"], opening: [addresses[0], "127.0.0.1"]),
        ]
    }

    /// Waits until every crowd has exchanged something by each of its connections.
    func settle(_ crowds: [Crowd]) async throws {
        let before = crowds.map(\.exchanges)
        let deadline = ContinuousClock.now + .seconds(10)
        while zip(crowds, before).contains(where: { $0.exchanges < $1 + 60 }) {
            try #require(ContinuousClock.now < deadline, "\(crowds.map(\.exchanges)) after \(before)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// What `status` and `plan` say of connections that are left.
    func expectFormerPath(isThere: Bool) async throws {
        let status = try await mesh.meshctl("status", on: 1)
        let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
        #expect(plan.status == 0, "\(plan)")
        for text in [status, plan.output] {
            for transport in ["tcp", "udp"] {
                let lines = text.split(separator: "\n").filter { $0.hasPrefix("former path 1080/\(transport) -> ") }
                #expect(!lines.isEmpty == isThere, "\(text)")
                #expect(lines.allSatisfy { $0.contains(/: \d+ connections? left, no new ones for/) }, "\(text)")
            }
        }
    }
}

/// Clients that hold connections and ask by each of them in turn, and in between open a new one each time.
final class Crowd: Sendable {
    private let held: [IPAddress]
    private let opened: [IPAddress]
    private let seen = Locked(Seen())

    struct Seen: Sendable {
        var exchanges = 0
        /// What became of the connections that were held, where one did not get its own task's answer.
        var broken: [String] = []
        /// The answers to new connections, and what became of those that got none.
        var new: [String: Int] = [:]
        var lost: [String] = []
    }

    init(holding held: [IPAddress], opening opened: [IPAddress]) {
        self.held = held
        self.opened = opened
    }

    var exchanges: Int { seen.withLock(\.exchanges) }

    static func connect(
        _ transports: [TransportProtocol], _ address: IPAddress
    ) throws -> [(socket: TrafficSocket, answer: String)] {
        try transports.map { transport in
            let socket = try TrafficSocket(transport, address.family)
            if transport == .tcp { socket.endAbruptly() }
            try socket.connect(address, port: 1080)
            return (socket, ask(socket))
        }
    }

    static func ask(_ socket: TrafficSocket) -> String {
        do {
            try socket.send("?")
            return try socket.receive()
        } catch {
            return "\(error)"
        }
    }

    func run(in namespace: TestNamespace, until isDone: Locked<Bool>) async throws -> Seen {
        let (held, opened, seen) = (held, opened, seen)
        return try await namespace.thread {
            let connections = try held.flatMap { address in
                try (0..<2).flatMap { _ in
                    try Self.connect([.tcp, .udp], address).map { (address, $0.socket, $0.answer) }
                }
            }
            // A guest may stand still for a moment, which is no fault.
            for (_, socket, _) in connections { socket.setTimeout(seconds: 10) }
            while !isDone.withLock({ $0 }) {
                for (number, (address, socket, first)) in connections.enumerated() {
                    let answer = Self.ask(socket)
                    seen.withLock {
                        $0.exchanges += 1
                        if answer != first, $0.broken.count < 10 {
                            $0.broken.append("\(address) \(number % 2 == 0 ? "tcp" : "udp"): \(first), then \(answer)")
                        }
                    }
                    let target = opened[number / 2 % opened.count]
                    let new = Request.steady(target, port: 1080, over: number % 2 == 0 ? .tcp : .udp).answer()
                    seen.withLock { seen in
                        seen.new[new, default: 0] += 1
                        // No answer begins with anything but a name.
                        guard !new.hasPrefix("old ") && !new.hasPrefix("new ") else { return }
                        seen.lost.append("\(number % 2 == 0 ? "tcp" : "udp") to \(target): \(new)")
                    }
                    usleep(2000)
                }
            }
            return seen.withLock(\.self)
        }
    }
}
