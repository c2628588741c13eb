import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Containers of a real dockerd, on docker0, with Docker's own rules as they are. In a guest of its own
    /// (`make test-docker`): dockerd works in the first namespace, and leaves it otherwise than it was.
    @Suite(
        .enabled(if: getenv("MESHCTL_DOCKER_LANE") != nil, "takes a dockerd in a guest of its own: `make test-docker`"))
    struct DockerTests {
        @Test(arguments: RuleTool.tested) func containersAreReachedAndSeeTheClient(tool: RuleTool) async throws {
            try await DockerHost.with(rules: tool) { docker, host in
                let addresses = try await [docker.startServer("web1"), docker.startServer("web2")]
                let rules = try await host.foreignText(ours: [])
                // Docker's, and left as it is: whatever is forwarded without a rule that lets it through is dropped.
                let policy = try await host.node.check("iptables", "-S", "FORWARD")
                #expect(policy.hasPrefix("-P FORWARD DROP\n"))

                for address in addresses { try await host.meshctl("task", "add", "web", "\(address)", "--local") }
                let published = try await host.meshctl(["publish", "1080:80", "web"])
                try #require(published.status == 0 && published.error == "", "\(published)")

                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 10)
                try #require(counted(answers) == ["web1\n": 5, "web2\n": 5])
                for name in ["web1", "web2"] {
                    let log = try await docker.log(of: name)
                    #expect(
                        log.contains("[\(host.clientLink.far4)]:") || log.contains("[::ffff:\(host.clientLink.far4)]:"))
                    // Each client of the five, and nobody else.
                    #expect(log.split(separator: "\n").filter { $0.contains("response:200") }.count == 5, "\(log)")
                }
                // From the node by 127.0.0.1, and from containers, each of which is balanced onto itself, too.
                let loopback = try await host.node.get("127.0.0.1", port: 1080, count: 4)
                #expect(counted(loopback) == ["web1\n": 2, "web2\n": 2])
                for name in ["web1", "web2"] {
                    let seen = try await docker.withNamespace(of: name, named: host.topology.prefix + name) {
                        try await $0.get(host.clientLink.near4, port: 1080, count: 4)
                    }
                    #expect(counted(seen) == ["web1\n": 2, "web2\n": 2], "\(name)")
                }

                #expect(try await host.meshctl(["plan"]).status == 0)
                let rulesNow = try await host.foreignText(ours: [256])
                #expect(rulesNow == rules)
                try await host.meshctl("reset")
                let rulesAfter = try await host.foreignText(ours: [])
                #expect(rulesAfter == rules)
                #expect(
                    try await host.client.get(host.clientLink.near4, port: 1080, count: 1) == ["Connection refused"])
            }
        }

        /// A running container is attached to the mesh: it is reached by the published port of its own node and of
        /// another, sees the client, and keeps what Docker gave it. Docker's rules stay as they are.
        @Test(arguments: RuleTool.tested) func anAttachedContainerIsReachedByEachNode(tool: RuleTool) async throws {
            try await DockerHost.with(rules: tool) { docker, host in
                let nodes = try await DockerNodes(host)
                let (other, link) = (nodes.other, nodes.link)
                let addresses = try await [docker.startServer("web1"), docker.startServer("web2")]
                let rules = try await host.foreignText(ours: [])
                try await nodes.add()
                for name in ["web1", "web2"] { _ = try await nodes.attach(name, of: docker, on: 1) }
                let published = try await nodes.meshctl("publish", "1080:80", "web", on: 1)
                #expect(published.contains("2 tasks on ingress   client address kept"), "\(published)")
                try await nodes.share(from: 1, to: 2)

                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                try #require(counted(answers) == ["web1\n": 2, "web2\n": 2])
                for name in ["web1", "web2"] {
                    let log = try await docker.log(of: name)
                    #expect(log.contains("\(host.clientLink.far4)]:"), "\(log)")
                }
                for address in [link.far4, "127.0.0.1"] as [IPAddress] {
                    let answers = try await other.get(address, port: 1080, count: 4)
                    #expect(counted(answers) == ["web1\n": 2, "web2\n": 2], "from node2 by \(address)")
                }
                let loopback = try await host.node.get("127.0.0.1", port: 1080, count: 4)
                #expect(counted(loopback) == ["web1\n": 2, "web2\n": 2])
                for name in ["web1", "web2"] {
                    let seen = try await docker.withNamespace(of: name, named: host.topology.prefix + name) {
                        try await $0.get(host.clientLink.near4, port: 1080, count: 4)
                    }
                    #expect(counted(seen) == ["web1\n": 2, "web2\n": 2], "\(name)")
                }
                // Docker's own way to the container goes on.
                #expect(try await host.node.get(addresses[0], port: 80, count: 1) == ["web1\n"])

                try await docker.run("restart", "--time", "0", "web1")
                let plan = try await nodes.run(["plan"], on: 1)
                #expect(
                    plan.status == 2
                        && plan.error.contains("attach it again with `meshctl task attach web --container web1`"),
                    "\(plan)")
                // The same command, and the same address.
                let attached = try await nodes.attach("web1", of: docker, on: 1)
                #expect(attached.contains("including 10.255.0.4 on node node1"), "\(attached)")
                try await nodes.share(from: 1, to: 2)
                let again = try await other.get(link.far4, port: 1080, count: 4)
                #expect(counted(again) == ["web1\n": 2, "web2\n": 2])

                let list = try await nodes.meshctl("task", "ls", "web", on: 2)
                #expect(list.contains("web1") && list.contains("web2"), "\(list)")
                let detached = try await nodes.meshctl("task", "detach", "web", "--container", "web2", on: 1)
                #expect(detached.contains("Detached 10.255.0.5 from web, which has 1 task left"), "\(detached)")
                #expect(try await host.client.get(host.clientLink.near4, port: 1080, count: 2) == ["web1\n", "web1\n"])
                try await refusals(docker, nodes)

                for node in 1...2 { _ = try await nodes.meshctl("reset", on: node) }
                let rulesAfter = try await host.foreignText(ours: [])
                #expect(rulesAfter == rules)
            }
        }

        /// The routing mesh of a Swarm and ours in one kernel: the ports of both answer, ours has another UDP port and
        /// another subnet than the Swarm's networks, and `reset` leaves the Swarm as it was, in each of its namespaces.
        @Test(arguments: RuleTool.tested) func aSwarmKeepsWhatIsIts(tool: RuleTool) async throws {
            try await DockerHost.with(rules: tool) { docker, host in
                try await docker.startSwarm(at: host.clientLink.near4, publishing: "2080:80")
                let client = host.client
                try await eventually {
                    // Before the task is there, nobody answers at all.
                    let address = "http://\(host.clientLink.near4):2080/"
                    return try await client.run(["curl", "-s", "--max-time", "1", address]).output == "swarm\n"
                }
                let before = try await docker.everything(host)

                let task = try await host.topology.namespace("task")
                let www = host.topology.directory.appending("www")
                try await task.check(
                    "sh", "-ec",
                    """
                    mkdir \(www)
                    echo mesh >\(www)/index.html
                    "$MESHCTL_LAB_BUSYBOX" httpd -p 80 -h \(www) </dev/null >/dev/null 2>&1
                    """)
                let settled = try await docker.everything(host)
                try await host.meshctl("task", "attach", "web", "--netns", "/run/netns/\(task.name)")
                // Swarm's own ingress network has this subnet.
                let refused = try await host.meshctl(["network", "create", "back", "--subnet", "10.0.0.0/24"])
                #expect(refused.status == 65 && refused.error.contains("10.0.0.0/24"), "\(refused)")
                try await host.meshctl("network", "create", "back")
                let published = try await host.meshctl(["publish", "1080:80", "web"])
                try #require(published.status == 0 && published.error == "", "\(published)")

                let exported = try await host.meshctl(["export"]).output
                #expect(exported.contains("port: 4790") && !exported.contains("port: 4789"), "\(exported)")
                #expect(!exported.contains("10.0.0."), "the first of the usual subnets is the Swarm's: \(exported)")
                for address in [host.clientLink.near4, "127.0.0.1"] as [IPAddress] {
                    let from = address.isLoopback ? host.node : client
                    #expect(try await from.get(address, port: 1080, count: 2) == ["mesh\n", "mesh\n"], "at \(address)")
                }
                #expect(try await client.get(host.clientLink.near4, port: 2080, count: 2) == ["swarm\n", "swarm\n"])
                #expect(try await host.meshctl(["plan"]).status == 0)
                #expect(try await host.foreignText(ours: []) == before.rules)

                try await host.meshctl("reset")
                let after = try await docker.everything(host)
                #expect(after == settled)
                #expect(after.rules == before.rules && after.namespaces == before.namespaces)
                #expect(try await client.get(host.clientLink.near4, port: 2080, count: 1) == ["swarm\n"])
            }
        }

        /// Two hosts with a dockerd each: a container of either is reached by the port of both, before and after a
        /// restart. The second dockerd has a mount namespace of its own as well.
        @Test(arguments: RuleTool.tested) func containersOfTwoDaemonsAreReachedByEachNode(tool: RuleTool) async throws {
            try await DockerHost.with(rules: tool) { docker, host in
                let nodes = try await DockerNodes(host)
                try await nodes.other.ip(["route add default via \(nodes.link.near4)"])
                let directory = host.topology.directory.appending("docker2")
                try await DockerHost.running(at: directory, in: nodes.other) { far in
                    let daemons = [("web1", docker), ("web2", far)]
                    for (name, daemon) in daemons { _ = try await daemon.startServer(name) }
                    try await nodes.add()
                    _ = try await nodes.attach("web1", of: docker, on: 1)
                    _ = try await nodes.meshctl("publish", "1080:80", "web", on: 1)
                    try await nodes.share(from: 1, to: 2)
                    _ = try await nodes.attach("web2", of: far, on: 2)
                    try await nodes.share(from: 2, to: 1)
                    func expectAnswers(_ when: String) async throws {
                        for (client, address) in [
                            (host.client, host.clientLink.near4), (host.node, nodes.link.far4),
                        ] {
                            let answers = try await client.get(address, port: 1080, count: 4)
                            #expect(counted(answers) == ["web1\n": 2, "web2\n": 2], "\(when), by \(address)")
                        }
                        for node in [host.node, nodes.other] {
                            let answers = try await node.get("127.0.0.1", port: 1080, count: 4)
                            #expect(counted(answers) == ["web1\n": 2, "web2\n": 2], "\(when), on \(node.name)")
                        }
                        for node in 1...2 {
                            let plan = try await nodes.run(["plan"], on: node)
                            #expect(plan.status == 0, "\(when): \(plan)")
                        }
                    }
                    try await expectAnswers("at first")
                    for (name, daemon) in daemons {
                        let log = try await daemon.log(of: name)
                        #expect(log.contains("\(host.clientLink.far4)]:"), "\(log)")
                    }
                    for (index, (name, daemon)) in daemons.enumerated() {
                        try await daemon.run("restart", "--time", "0", name)
                        _ = try await nodes.attach(name, of: daemon, on: index + 1)
                        try await nodes.share(from: index + 1, to: 2 - index)
                        try await expectAnswers("after a restart of \(name)")
                    }
                    for node in 1...2 { _ = try await nodes.meshctl("reset", on: node) }
                }
            }
        }

        /// Containers that cannot be attached: what is said of them, and that it changes nothing.
        private func refusals(_ docker: DockerHost, _ nodes: DockerNodes) async throws {
            try await docker.run(
                "run", "--detach", "--name", "own", "--network", "host", "meshctl-test", "sleep", "600")
            try await docker.run("stop", "--time", "0", "web2")
            let before = try nodes.state(of: 1).appending("mesh.json").text()
            for (container, words) in [
                ("own", "is this node's own network namespace"),
                ("web2", "container web2 is not running: start it first"),
                ("web3", "there is no container web3 at \(docker.socketPath)"),
            ] {
                let ran = try await nodes.run(
                    ["task", "attach", "web", "--container", container], on: 1,
                    environment: ["DOCKER_HOST": docker.socket])
                #expect(ran.status == 65 && ran.error.contains(words), "\(ran)")
            }
            #expect(try nodes.state(of: 1).appending("mesh.json").text() == before)
        }
    }
}
