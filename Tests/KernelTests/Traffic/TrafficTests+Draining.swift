import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.TrafficTests {
    /// A node with two web servers, whose downloads take five seconds, published as 1080.
    private static func withServers(
        _ tool: RuleTool, tasks: Int = 2, options: String..., seconds: Int = 5,
        _ body: (MeshHost, [WebServer]) async throws -> Void
    ) async throws {
        try await MeshHost.with(tasks: tasks, rules: tool) { host in
            var servers: [WebServer] = []
            for task in host.tasks {
                servers.append(
                    try await WebServer(
                        task.name, in: task.namespace, below: host.topology.directory, seconds: seconds))
            }
            try await host.configure { try $0.addTasks(of: host) }
            let ran = try await host.meshctl(["publish", "1080:80", "nginx"] + options)
            guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
            try await body(host, servers)
        }
    }

    private static func expectNew(_ host: MeshHost, _ wanted: Set<String>, _ when: String) async throws {
        for (near, _) in host.places {
            let answers = try await host.client.thread { (0..<6).map { _ in WebConnection.answer(near) } }
            #expect(Set(answers) == wanted, "\(near) \(when)")
        }
    }

    /// A task leaves while clients download from it: they get all of it, and nobody new comes; then it goes.
    @Test(arguments: RuleTool.tested) func aTaskThatLeavesServesToTheEnd(tool: RuleTool) async throws {
        try await Self.withServers(tool) { host, _ in
            let downloads = host.places.flatMap { near, _ in (0..<2).map { _ in Download(in: host.client, near) } }
            for download in downloads { try await download.begun() }
            let task = host.tasks[0]
            for address in [task.link.far4, task.link.far6] {
                let ran = try await host.meshctl(["task", "rm", "nginx", "\(address)"])
                #expect(ran.status == 0)
                let name = Destination.ID(address, port: 80)
                #expect(ran.error.contains("former path 1080/tcp -> \(name): 1 connection left"), "\(ran)")
            }
            try await Self.expectNew(host, ["task2"], "at once")
            // Another process finds it in the ledger, and has nothing to do.
            let plan = try await host.meshctl(["plan"])
            #expect(plan.status == 0 && plan.output.contains("1 connection left"), "\(plan)")
            for download in downloads { try await download.expectWhole() }
            let after = try await host.meshctl(["plan"])
            #expect(after.status == 2, "\(after)")
            try await host.meshctl("reconcile")
            #expect(try await host.meshctl(["plan"]).status == 0)
            #expect(try await !host.node.check("ipvsadm", "-Sn").contains("\(task.link.far4)"))
            // And it may come back.
            try await host.meshctl("task", "add", "nginx", "\(task.link.far4)", "--local")
            let answers = try await host.client.ask(host.places[0].near, times: 4)
            #expect(answers == ["task1": 2, "task2": 2])
        }
    }

    /// The same address is added while it drains: it was never away.
    @Test(arguments: RuleTool.tested) func aTaskThatComesBackGoesOn(tool: RuleTool) async throws {
        try await Self.withServers(tool, tasks: 1) { host, _ in
            let (near, address) = (host.places[0].near, "\(host.tasks[0].link.far4)")
            let download = Download(in: host.client, near)
            try await download.begun()
            try await host.meshctl("task", "rm", "nginx", address)
            #expect(try await host.client.ask(near, times: 1) == ["Connection refused": 1])
            try await host.meshctl("task", "add", "nginx", address, "--local")
            #expect(try await host.client.ask(near, times: 2) == ["task1": 2])
            let plan = try await host.meshctl(["plan"])
            #expect(plan.status == 0 && !plan.output.contains("former path"), "\(plan)")
            try await download.expectWhole()
        }
    }

    /// Who does not want to wait says so, with the command or later, or beforehand.
    @Test(arguments: RuleTool.tested, ["--now", "reconcile --now", "--drain"]) func connectionsAreCut(
        tool: RuleTool, how: String
    ) async throws {
        try await Self.withServers(tool, options: "--drain", how == "--drain" ? "1s" : "unlimited") { host, _ in
            let near = host.places[0].near
            let downloads = (0..<2).map { _ in Download(in: host.client, near) }
            for download in downloads { try await download.begun() }
            let start = ContinuousClock.now
            let address = "\(host.tasks[0].link.far4)"
            switch how {
            case "--now": try await host.meshctl("task", "rm", "nginx", address, "--now")
            case "--drain":
                let ran = try await host.meshctl(["task", "rm", "nginx", address, "--wait"])
                #expect(ran.status == 0 && ran.error.contains("the time is over"), "\(ran)")
                #expect(ran.error.contains("cut in 1 s"), "\(ran)")
            default:
                try await host.meshctl("task", "rm", "nginx", address)
                #expect(try await host.meshctl("status").contains("1 connection left"))
                try await host.meshctl("reconcile", "--now")
            }
            var results: [String] = []
            for download in downloads { results.append(try await download.result()) }
            #expect(results.count { $0 == "whole" } == 1, "\(results) after \(start.duration(to: .now))")
            #expect(try await host.meshctl(["plan"]).status == 0)
            #expect(try await !host.meshctl("status").contains("former path"))
        }
    }

    /// A port that is unpublished refuses whoever comes, and lets those finish who are there; so does a service.
    @Test(arguments: RuleTool.tested, [["unpublish", "1080"], ["service", "rm", "nginx"]])
    func aPortThatLeavesServesToTheEnd(
        tool: RuleTool, command: [String]
    ) async throws {
        try await Self.withServers(tool) { host, _ in
            let places: [(TestNamespace, IPAddress)] =
                host.places.map { (host.client, $0.near) } + [(host.node, "127.0.0.1")]
            let downloads = places.map { Download(in: $0.0, $0.1) }
            for download in downloads { try await download.begun() }
            let ran = try await host.meshctl(command)
            #expect(ran.status == 0 && ran.error.contains("former path 1080/tcp"), "\(ran)")
            for (near, _) in host.places {
                #expect(try await host.client.ask(near, times: 2) == ["Connection refused": 2], "\(near)")
            }
            #expect(try await host.meshctl(["plan"]).status == 0)
            for download in downloads { try await download.expectWhole() }
            try await host.meshctl("reconcile")
            #expect(try await host.meshctl(["plan"]).status == 0)
            #expect(try await host.node.check("ipvsadm", "-Sn") == "")
        }
    }

    /// A task that drains stays in the mesh, gets nobody new, sticky clients included, and comes back on demand.
    @Test(arguments: RuleTool.tested) func aTaskThatDrainsGetsNobodyNew(tool: RuleTool) async throws {
        try await Self.withServers(tool) { host, _ in
            let clients = try await host.addClientAddresses(8).filter { $0.client.family == .ipv4 }
            let kinds: [[String]] = [
                ["rr"], ["wlc"], ["mh"], ["sh"], ["rr", "--sticky", "10m"], ["mh", "--sticky", "10m"],
            ]
            for (number, kind) in kinds.enumerated() {
                let service = "s\(number)"
                try await FileSpecStore(directory: host.stateDirectory).update {
                    try $0.addTasks(of: host, service: service)
                }
                let ran = try await host.meshctl(["publish", "\(2000 + number):80", service, "--scheduler"] + kind)
                #expect(ran.status == 0, "\(ran)")
            }
            func answers(_ number: Int) async throws -> Set<String> {
                let port = UInt16(2000 + number)
                let requests = clients.map { Request(address: $0.node, port: port, from: $0.client) }
                return Set(
                    try await host.client.thread {
                        requests.map { request in
                            do {
                                return try WebConnection(request.address, port: port, from: request.from).get("/").words
                            } catch {
                                return "\(error)"
                            }
                        }
                    })
            }
            let address = "\(host.tasks[0].link.far4)"
            for (number, kind) in kinds.enumerated() {
                #expect(try await answers(number) == ["task1", "task2"], "\(kind)")
                try await host.meshctl("task", "drain", "s\(number)", address)
                #expect(try await answers(number) == ["task2"], "\(kind) while it drains")
            }
            let status = try await host.meshctl("status")
            #expect(status.contains("draining 2000/tcp -> \(address):80: "), "\(status)")
            #expect(try await host.meshctl(["plan"]).status == 0)
            for (number, kind) in kinds.enumerated() {
                try await host.meshctl("task", "undrain", "s\(number)", address)
                // Sticky clients stay where they have gone.
                guard !kind.contains("--sticky") else { continue }
                #expect(try await answers(number).contains("task1"), "\(kind) afterwards")
            }
            #expect(try await !host.meshctl("status").contains("draining"))
        }
    }

    /// `--wait` returns when the last connection has ended, and not before; with a limit, it says what is left.
    @Test(arguments: RuleTool.tested) func waitingForADrain(tool: RuleTool) async throws {
        try await Self.withServers(tool, tasks: 1) { host, _ in
            let (near, address) = (host.places[0].near, "\(host.tasks[0].link.far4)")
            let download = Download(in: host.client, near)
            try await download.begun()
            let start = ContinuousClock.now
            let ran = try await host.meshctl(["task", "drain", "nginx", address, "--wait"])
            #expect(start.duration(to: .now) > .seconds(3))
            #expect(ran.status == 0 && ran.error.contains("no connection to \(address) is left"), "\(ran)")
            #expect(ran.error.contains("no task of service nginx takes new connections by IPv4"), "\(ran)")
            try await download.expectWhole()
            #expect(try await host.client.ask(near, times: 1) == ["Connection refused": 1])

            try await host.meshctl("task", "undrain", "nginx", address)
            try await host.meshctl("service", "set", "nginx", "--drain", "1s")
            let second = Download(in: host.client, near)
            try await second.begun()
            let limited = try await host.meshctl(["task", "drain", "nginx", address, "--wait"])
            #expect(limited.status == 1 && limited.error.contains("the time is over"), "\(limited)")
            #expect(try await second.result() == "whole", "nothing is cut while the task is there")
            let all = try await host.meshctl(["task", "drain", "nginx", "\(host.tasks[0].link.far6)"])
            #expect(all.error.contains("no task of service nginx takes new connections, which are refused"), "\(all)")
            for (near, _) in host.places {
                #expect(try await host.client.ask(near, times: 1) == ["Connection refused": 1])
            }
        }
    }

    /// A task with as many connections as it may have gets no more.
    @Test(arguments: RuleTool.tested) func aTaskHasItsMostConnections(tool: RuleTool) async throws {
        try await Self.withServers(tool, tasks: 2, options: "--max-conns", "2") { host, _ in
            let near = host.places[0].near
            let table = try await host.node.check("ipvsadm", "-Ln", "--thresholds")
            #expect(table.contains(/10\.11\.0\.2:80 +2 +0/), "\(table)")
            let downloads = (0..<4).map { _ in Download(in: host.client, near) }
            for download in downloads { try await download.begun() }
            #expect(try await host.client.ask(near, times: 2) == ["Connection refused": 2])
            for download in downloads { try await download.expectWhole() }
            try await host.meshctl("service", "set", "nginx", "--max-conns", "off")
            #expect(try await host.client.ask(near, times: 4) == ["task1": 2, "task2": 2])
        }
    }

    /// Each of four tasks is replaced by a new one, in turn, while a client keeps its connections busy: none of its
    /// requests fails. At full length that goes on for three rounds; otherwise for two tasks.
    @Test(
        arguments: RuleTool.tested,
        getenv("MESHCTL_SOAK") == nil
            ? [["rr"], ["rr", "--sticky", "10m"]] : [["rr"], ["wlc"], ["mh"], ["rr", "--sticky", "10m"]])
    func tasksAreReplacedUnderLoad(tool: RuleTool, kind: [String]) async throws {
        let isSoak = getenv("MESHCTL_SOAK") != nil
        try await MeshHost.with(tasks: 4, rules: tool) { host in
            var servers: [WebServer] = []
            for task in host.tasks {
                servers.append(
                    try await WebServer(
                        task.name, in: task.namespace, below: host.topology.directory, seconds: isSoak ? 5 : 2))
            }
            try await host.configure { try $0.addTasks(of: host) }
            // A port that rules translate before IPVS would drain two minutes longer.
            let port: UInt16 = kind.contains("--sticky") ? 80 : 1080
            let published = try await host.meshctl(["publish", "\(port):80", "nginx", "--scheduler"] + kind)
            #expect(published.status == 0, "\(published)")
            let client = BusyClient(in: host.client, host.places.map(\.near), port: port, keeping: isSoak ? 5 : 1)
            var rounds = 0
            while rounds < (isSoak ? 3 : 1) || client.requests < soaked(20000) || client.downloads <= 4 {
                rounds += 1
                for (task, server) in zip(host.tasks, servers).prefix(isSoak ? 4 : 2) {
                    let addresses = [task.link.far4, task.link.far6].map(\.description)
                    for address in addresses {
                        if rounds % 2 == 1 {
                            try await host.meshctl("task", "rm", "nginx", address, "--wait")
                        } else {
                            try await host.meshctl("task", "drain", "nginx", address, "--wait")
                        }
                    }
                    try await server.stop()
                    try await server.start()
                    for address in addresses {
                        if rounds % 2 == 1 {
                            try await host.meshctl("task", "add", "nginx", address, "--local")
                        } else {
                            try await host.meshctl("task", "undrain", "nginx", address)
                        }
                    }
                }
            }
            let seen = try await client.stop()
            print("\(tool), \(kind): \(seen.requests) requests, \(seen.downloads) downloads, \(rounds) rounds")
            #expect(seen.failed == [], "\(seen.failed)")
            #expect(seen.requests >= soaked(20000) && seen.downloads > 4, "\(seen)")
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }
}

extension TestNamespace {
    /// How often there was which answer of a web server.
    fileprivate func ask(_ address: IPAddress, times: Int) async throws -> [String: Int] {
        counted(try await thread { (0..<times).map { _ in WebConnection.answer(address) } })
    }
}
