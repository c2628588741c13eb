import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.MeshTests {
    /// Two nodes with attached tasks that serve downloads, in the order in which they are named, published as 1080.
    private struct Scene {
        let mesh: MeshNodes
        var spec: MeshSpec
        let tasks: [MeshNodes.Task]
        let servers: [WebServer]

        static func with(
            _ tool: RuleTool, tasksOn numbers: [Int], port: UInt16 = 1080, options: PublishOptions = .init(),
            seconds: Int = 5,
            _ body: (inout Scene) async throws -> Void
        ) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                var (tasks, servers) = ([MeshNodes.Task](), [WebServer]())
                for (index, node) in numbers.enumerated() {
                    let task = try await mesh.task("task\(index + 1)", on: node)
                    servers.append(
                        try await WebServer(
                            task.name, in: task.namespace, below: mesh.topology.directory, seconds: seconds))
                    tasks.append(task)
                }
                var spec = try mesh.spec()
                for task in tasks {
                    try spec.attach(
                        TaskAttachmentRequest(namespace: task.path, node: mesh.nodes[task.node - 1].name),
                        service: "nginx")
                }
                try spec.publish(PortBinding(port, .tcp), target: 80, service: "nginx", options: options)
                try await mesh.apply(spec)
                var scene = Scene(mesh: mesh, spec: spec, tasks: tasks, servers: servers)
                try await body(&scene)
            }
        }

        /// The address of a task, by which both nodes reach it.
        func address(of index: Int) throws -> IPAddress {
            try #require(
                spec.services["nginx"]?.tasks.first { $0.attachment?.namespace == tasks[index].path }?.address)
        }

        func answers(by node: Int) async throws -> Set<String> {
            let addresses = mesh.nodes[node - 1].addresses
            return Set(
                try await mesh.client.thread {
                    addresses.flatMap { address in (0..<4).map { _ in WebConnection.answer(address) } }
                })
        }
    }

    /// A task leaves the mesh while clients download from it by either node: they get all of it, and nobody new comes.
    /// The task's own node waits for the connections by the other one.
    @Test(arguments: RuleTool.tested) func aTaskThatIsDetachedServesToTheEnd(tool: RuleTool) async throws {
        try await Scene.with(tool, tasksOn: [2, 1], seconds: 15) { scene in
            let mesh = scene.mesh
            // Two of them by the first node, one for each task; and by the second node both.
            let downloads = [0, 0, 1, 1].map { Download(in: mesh.client, mesh.nodes[$0].addresses[0]) }
            for download in downloads { try await download.begun() }
            let address = try scene.address(of: 0)
            try await mesh.meshctl("task", "detach", "nginx", "\(address)", on: 1)
            try await mesh.exportFromFirst()
            for node in 1...2 { #expect(try await scene.answers(by: node) == ["task2"], "node\(node)") }
            for node in mesh.nodes {
                let plan = try await mesh.run(["plan"], on: node)
                let path = "former path 1080/tcp -> \(address):80, in ingress_sbox"
                #expect(plan.status == 0 && plan.output.contains(path), "\(plan)")
                // Its own node knows of both connections.
                #expect(
                    plan.output.contains(node.name == "node2" ? "2 connections left" : "1 connection left"), "\(plan)")
            }
            for download in downloads { try await download.expectWhole() }
            for node in 1...2 { try await mesh.meshctl("reconcile", on: node) }
            try await mesh.expectNothingPlanned()
            for node in 1...2 { #expect(try await !mesh.meshctl("status", on: node).contains("former path")) }
            let left = try await scene.tasks[0].namespace.check("ip", "-o", "link")
            #expect(!left.contains("mesh"), "\(left)")
        }
    }

    /// The same with a task whose node has no connection of its own to it.
    @Test(arguments: RuleTool.tested) func aTaskIsKeptForTheOtherNode(tool: RuleTool) async throws {
        try await Scene.with(tool, tasksOn: [2], seconds: 12) { scene in
            let mesh = scene.mesh
            let downloads = mesh.nodes[0].addresses.map { Download(in: mesh.client, $0) }
            for download in downloads { try await download.begun() }
            try await mesh.meshctl("unpublish", "1080", on: 1)
            try await mesh.meshctl("task", "detach", "nginx", "\(try scene.address(of: 0))", on: 1)
            try await mesh.exportFromFirst()
            for node in 1...2 { #expect(try await scene.answers(by: node) == ["Connection refused"], "node\(node)") }
            for download in downloads { try await download.expectWhole() }
            for node in 1...2 { try await mesh.meshctl("reconcile", on: node) }
            try await mesh.expectNothingPlanned()
            for node in 1...2 { #expect(try await !mesh.meshctl("status", on: node).contains("former path")) }
        }
    }

    /// Who does not want to wait says so, or the port does: then the connections end.
    @Test(arguments: RuleTool.tested, [true, false]) func connectionsToAnAttachedTaskAreCut(
        tool: RuleTool, onDemand: Bool
    ) async throws {
        let options = PublishOptions(drain: onDemand ? .unlimited : .seconds(4))
        try await Scene.with(tool, tasksOn: [1], options: options, seconds: 10) { scene in
            let mesh = scene.mesh
            let download = Download(in: mesh.client, mesh.nodes[0].addresses[0])
            try await download.begun()
            let ran = try await mesh.run(
                ["task", "detach", "nginx", "--netns", scene.tasks[0].path, onDemand ? "--now" : "--wait"],
                on: mesh.nodes[0])
            #expect(ran.status == 0, "\(ran)")
            #expect(ran.error.contains("the time is over") == !onDemand, "\(ran)")
            let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
            #expect(plan.status == 0 && !plan.output.contains("former path"), "\(plan)")
            let link = try await scene.tasks[0].namespace.check("ip", "-o", "link")
            #expect(!link.contains("mesh"), "\(link)")
            // Nobody can tell the client, since its task is off the network: it waits until it gives up.
            #expect(try await download.result() != "whole")
        }
    }

    /// All tasks of a service drain: clients are refused, and do not hang.
    @Test(arguments: RuleTool.tested) func clientsAreRefusedWhenAllTasksDrain(tool: RuleTool) async throws {
        try await Scene.with(tool, tasksOn: [1, 2]) { scene in
            let mesh = scene.mesh
            for node in mesh.nodes {
                let ran = try await mesh.run(["task", "drain", "nginx", "--node", node.name], on: mesh.nodes[0])
                #expect(ran.status == 0, "\(ran)")
                #expect(ran.error.contains("no task of service nginx takes new connections") == (node.name == "node2"))
            }
            try await mesh.exportFromFirst()
            for node in 1...2 { #expect(try await scene.answers(by: node) == ["Connection refused"], "node\(node)") }
            try await mesh.expectNothingPlanned()
            try await mesh.meshctl("task", "undrain", "nginx", "--node", "node2", on: 1)
            try await mesh.exportFromFirst()
            for node in 1...2 { #expect(try await scene.answers(by: node) == ["task2"], "node\(node)") }
        }
    }

    /// Each of four tasks is replaced in turn while a client keeps its connections to both nodes busy: none of its
    /// requests fails. A task takes most of a minute, so that all four and all schedulers have their turn at full length
    /// only; otherwise a task of each node.
    @Test(
        arguments: RuleTool.tested,
        getenv("MESHCTL_SOAK") == nil ? [["rr"]] : [["rr"], ["wlc"], ["mh"], ["rr", "sticky"]])
    func attachedTasksAreReplacedUnderLoad(tool: RuleTool, kind: [String]) async throws {
        let isSoak = getenv("MESHCTL_SOAK") != nil
        let options = PublishOptions(
            scheduler: Scheduler(rawValue: kind[0]), stickySeconds: kind.count > 1 ? 600 : nil)
        // A port that rules translate before IPVS would drain two minutes longer.
        let port: UInt16 = kind.count > 1 ? 80 : 1080
        try await Scene.with(tool, tasksOn: [1, 2, 1, 2], port: port, options: options, seconds: isSoak ? 5 : 2) {
            scene in
            let mesh = scene.mesh
            let client = BusyClient(
                in: mesh.client, mesh.nodes.flatMap(\.addresses), port: port, keeping: isSoak ? 5 : 1)
            var rounds = 0
            while rounds < (isSoak ? 3 : 1) || client.requests < soaked(20000) {
                rounds += 1
                for (task, server) in zip(scene.tasks, scene.servers).prefix(isSoak ? 4 : 2) {
                    let node = mesh.nodes[task.node - 1]
                    try scene.spec.drain(.namespace(task.path, node: node.name), service: "nginx")
                    try await mesh.apply(scene.spec)
                    // The task's own node knows of all connections.
                    let ran = try await mesh.run(["task", "drain", "nginx", "--netns", task.path, "--wait"], on: node)
                    #expect(ran.status == 0, "\(ran)")
                    try await server.stop()
                    try await server.start()
                    try scene.spec.undrain(.namespace(task.path, node: node.name), service: "nginx")
                    try await mesh.apply(scene.spec)
                }
            }
            let seen = try await client.stop()
            print("\(tool), \(kind): \(seen.requests) requests, \(seen.downloads) downloads, \(rounds) rounds")
            #expect(seen.failed == [], "\(seen.failed)")
            #expect(seen.requests >= soaked(20000) && seen.downloads > 4, "\(seen)")
            try await mesh.expectNothingPlanned()
        }
    }
}
