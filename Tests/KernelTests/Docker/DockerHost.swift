import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A dockerd, in the first namespace or in another.
struct DockerHost {
    let directory: FilePath
    /// Nil for the first.
    var namespace: TestNamespace?
    /// More options of dockerd.
    var options = ""
    var socketPath: String { "\(directory)/docker.sock" }
    var socket: String { "unix://\(socketPath)" }

    /// Runs the body with a dockerd in the first namespace, and a client beside it.
    ///
    /// - Parameter options: more options of dockerd.
    static func with(
        rules tool: RuleTool, options: String = "", _ body: (DockerHost, MeshHost) async throws -> Void
    ) async throws {
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
            // What the namespace had before is there again as far as dockerd lets it.
            func cleanUp() async {
                _ = try? await Shell.run([
                    "sh", "-c", "ip link del docker0; ip link del v1; ip netns del \(host.node.name)",
                ])
            }
            do {
                try await running(at: topology.directory.appending("docker"), options: options) {
                    try await body($0, host)
                }
            } catch {
                await cleanUp()
                throw error
            }
            await cleanUp()
        }
    }

    /// Runs the body with a dockerd that keeps all that it has in a folder.
    static func running(
        at directory: FilePath, in namespace: TestNamespace? = nil, options: String = "",
        _ body: (DockerHost) async throws -> Void
    ) async throws {
        let docker = DockerHost(directory: directory, namespace: namespace, options: options)
        try await Shell.check("sh", "-ec", "mkdir -p \(directory); mount -t tmpfs tmpfs \(directory)")
        try await docker.start()
        do {
            try await docker.makeImage()
            try await body(docker)
        } catch {
            print(try docker.directory.appending("log").text().suffix(4000))
            await docker.stop()
            throw error
        }
        await docker.stop()
    }

    /// Starts dockerd, at first or again.
    func start() async throws {
        // `ip netns exec` would hide the cgroups.
        let elsewhere = namespace.map { "nsenter --net=/run/netns/\($0.name) unshare --mount" } ?? ""
        try await Shell.check(
            "sh", "-ec",
            """
            rm -f \(directory)/pid
            \(elsewhere) dockerd --host \(socket) --pidfile \(directory)/pid --data-root \(directory)/data \
                --exec-root \(directory)/exec --storage-driver vfs \(options) >>\(directory)/log 2>&1 </dev/null &
            """)
        for _ in 0..<240 {
            if try await Shell.run(["docker", "--host", socket, "version"]).status == 0 { break }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// Ends dockerd as a crash does.
    func kill() async throws {
        try await Shell.check("sh", "-ec", "kill -9 $(cat \(directory)/pid)")
    }

    private func stop() async {
        _ = try? await Shell.run([
            "sh", "-c",
            """
            docker --host \(socket) ps -aq | xargs -r docker --host \(socket) rm -f
            daemon=$(cat \(directory)/pid)
            kill $daemon
            for _ in $(seq 100); do kill -0 $daemon 2>/dev/null || break; sleep 0.1; done
            umount -l \(directory)
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
            for name in sh httpd sleep; do ln -s busybox \(directory)/image/bin/$name; done
            tar -C \(directory)/image -c . | docker --host \(socket) import - meshctl-test
            """)
    }

    /// A server that answers with its name and logs whom it sees; gives its address on docker0.
    ///
    /// - Parameter patience: for how many seconds it goes on after it was told to end.
    @discardableResult
    func startServer(
        _ name: String, labels: [String] = [], options: [String] = [], patience: Int = 1
    ) async throws -> IPAddress {
        try await Shell.check(
            ["docker", "--host", socket, "run", "--detach", "--name", name] + labels.flatMap { ["--label", $0] }
                + options
                + [
                    "meshctl-test", "/bin/sh", "-c",
                    """
                    echo \(name) >/www/index.html
                    httpd -f -vv -p 80 -h /www &
                    trap 'sleep \(patience); kill $!; exit 0' TERM
                    wait
                    """,
                ])
        let address = try await run("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        let parsed: IPAddress? = .init(String(address.split(separator: "\n")[0]))
        return try #require(parsed)
    }

    /// A Swarm of one node, with a service whose tasks end at once when they are told to.
    func startSwarm(at address: IPAddress, publishing port: String, tasks: Int = 1) async throws {
        for module in ["vxlan", "xt_ipvs", "xt_mark", "xt_nat", "xt_REDIRECT"] {
            _ = try await Shell.run(["modprobe", module])
        }
        // A Swarm asks the image's registry before it takes what is here. This one refuses at once; a name would have to
        // be looked up, in vain and for half a minute.
        try await run("tag", "meshctl-test", "localhost:1/meshctl-test")
        try await run("swarm", "init", "--advertise-addr", "\(address)")
        try await run(
            "service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", "swarm", "--publish", port,
            "--replicas", "\(tasks)", "localhost:1/meshctl-test", "/bin/sh", "-c",
            "echo swarm >/www/index.html; httpd -f -p 80 -h /www & trap 'kill $!; exit 0' TERM; wait")
    }

    /// What is in the kernel.
    struct Everything: Equatable {
        /// The node's rules and balancers that are not the mesh's.
        var rules: String
        /// The node's settings, interfaces, routes and rules of routing.
        var node: String
        /// The same of each of Docker's namespaces, and its rules and balancers.
        var namespaces: String
    }

    func everything(_ host: MeshHost) async throws -> Everything {
        let routes = try await host.node.check("sh", "-ec", "ip route show table all; ip rule; ip -6 rule")
        let namespaces = try await Shell.check(
            "sh", "-ec",
            """
            for file in \(directory)/exec/netns/*; do
                echo "$file"
                nsenter --net="$file" sh -ec '
                    iptables-save; ip6tables-save; ipvsadm -Sn
                    ip -br address; ip route show table all; ip rule; ip neighbour show nud permanent
                    sysctl -a -r "^net\\."' 2>&1
            done
            """)
        return Everything(
            rules: try await host.foreignText(ours: []), node: try await host.settings() + routes,
            namespaces: namespaces.replacing(/\[\d+:\d+\]/, with: "[]").filteringLines {
                !$0.hasPrefix("#") && !$0.hasPrefix("net.netfilter.nf_conntrack_count ")
            })
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
