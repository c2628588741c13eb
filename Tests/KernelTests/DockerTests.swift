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
    }
}

/// A dockerd in the first namespace, and a client beside it.
private struct DockerHost {
    let directory: FilePath
    var socket: String { "unix://\(directory)/docker.sock" }

    static func with(rules tool: RuleTool, _ body: (DockerHost, MeshHost) async throws -> Void) async throws {
        // dockerd would load them, too, but it asks by names that not every kernel's modules have.
        for module in [
            "overlay", "bridge", "br_netfilter", "veth", "xt_conntrack", "xt_addrtype", "xt_MASQUERADE",
            "iptable_filter", "iptable_nat", "iptable_mangle", "iptable_raw", "ip6table_filter", "ip6table_nat",
        ] { try await Shell.check("modprobe", module) }
        // A table is listed once somebody has asked for it, and stays.
        for tool in ["iptables", "ip6tables"] {
            for table in ["filter", "nat", "mangle"] { try await Shell.check(tool, "-t", table, "-S") }
        }
        try await Topology.with { topology in
            let client = try await topology.namespace("client")
            let node = TestNamespace(name: topology.prefix + "root")
            try await Shell.check("ip", "netns", "attach", node.name, "1")
            let host = MeshHost(
                topology: topology, node: node, client: client,
                clientLink: try await topology.link(node, client, number: 1), tasks: [], tool: tool)
            // Without a default route dockerd has no idea which addresses are free.
            try await node.ip(["route add default via \(host.clientLink.far4)"])
            let docker = DockerHost(directory: topology.directory.appending("docker"))
            let daemon = try await docker.start()
            do {
                try await docker.makeImage()
                try await body(docker, host)
            } catch {
                print(try docker.directory.appending("log").text().suffix(4000))
                await docker.stop(daemon, host)
                throw error
            }
            await docker.stop(daemon, host)
        }
    }

    /// Gives dockerd's process.
    private func start() async throws -> String {
        let pid = try await Shell.check(
            "sh", "-ec",
            """
            mkdir -p \(directory)
            mount -t tmpfs tmpfs \(directory)
            dockerd --host \(socket) --pidfile \(directory)/pid --data-root \(directory)/data \
                --exec-root \(directory)/exec --storage-driver vfs >\(directory)/log 2>&1 </dev/null &
            echo $!
            """)
        for _ in 0..<240 {
            if try await Shell.run(["docker", "--host", socket, "version"]).status == 0 { break }
            try await Task.sleep(for: .milliseconds(250))
        }
        return String(pid.split(separator: "\n")[0])
    }

    /// What the namespace had before is there again as far as dockerd lets it.
    private func stop(_ daemon: String, _ host: MeshHost) async {
        _ = try? await Shell.run([
            "sh", "-c",
            """
            docker --host \(socket) ps -aq | xargs -r docker --host \(socket) rm -f
            kill \(daemon)
            for _ in $(seq 100); do kill -0 \(daemon) 2>/dev/null || break; sleep 0.1; done
            ip link del docker0; ip link del v1
            umount -l \(directory)
            ip netns del \(host.node.name)
            """,
        ])
    }

    @discardableResult
    func run(_ arguments: String...) async throws -> String {
        try await Shell.check(["docker", "--host", socket] + arguments)
    }

    /// There is no registry to be had, so the image is made here: of one program.
    private func makeImage() async throws {
        let busybox = try #require(getenv("MESHCTL_LAB_BUSYBOX").map { String(cString: $0) })
        try await Shell.check(
            "sh", "-ec",
            """
            mkdir -p \(directory)/image/bin \(directory)/image/www
            cp \(busybox) \(directory)/image/bin/busybox
            for name in sh httpd; do ln -s busybox \(directory)/image/bin/$name; done
            tar -C \(directory)/image -c . | docker --host \(socket) import - meshctl-test
            """)
    }

    /// A server that answers with its name and logs whom it sees; gives its address on docker0.
    func startServer(_ name: String) async throws -> IPAddress {
        try await run(
            "run", "--detach", "--name", name, "meshctl-test", "/bin/sh", "-c",
            "echo \(name) >/www/index.html; exec httpd -f -vv -p 80 -h /www")
        let address = try await run("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        let parsed: IPAddress? = .init(String(address.split(separator: "\n")[0]))
        return try #require(parsed)
    }

    /// Gives a container's network a name for as long as the body runs: a container has no client, but a network.
    func withNamespace(
        of container: String, named name: String, _ body: (TestNamespace) async throws -> [String]
    ) async throws -> [String] {
        let pid = try await run("inspect", "--format", "{{.State.Pid}}", container)
        try await Shell.check("ip", "netns", "attach", name, String(pid.split(separator: "\n")[0]))
        let answers = try await body(TestNamespace(name: name))
        try await Shell.check("ip", "netns", "del", name)
        return answers
    }

    func log(of name: String) async throws -> String {
        let ran = try await Shell.run(["docker", "--host", socket, "logs", name])
        return ran.output + ran.error
    }
}
