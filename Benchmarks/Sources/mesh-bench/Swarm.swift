import BenchSupport
import Foundation

/// A Docker Swarm of one node, in the guest's first namespace, with a service of two tasks at port 1080. Its containers
/// only wait: the server runs in their network namespaces, as it does in those of the other paths.
final class Swarm {
    let address = "10.99.0.1"
    private let node = "mb-swarm"
    private let folder = "/tmp/mesh-bench/docker"
    /// For each task a Swarm asks the image's registry before it takes what is here. This one refuses at once; a name
    /// would have to be looked up, in vain and for half a minute.
    private let image = "localhost:1/waits"
    private var daemon: Process?
    private var servers: [Server] = []
    /// How many ports the Swarm has marks for while only the service with two tasks is there.
    private var ownMarks = 0
    /// Where Docker keeps the namespace that balances.
    private var sandbox: String { "/run/docker/netns/ingress_sbox" }

    func start() throws {
        for module in [
            "overlay", "bridge", "br_netfilter", "veth", "vxlan", "xt_conntrack", "xt_addrtype", "xt_MASQUERADE",
            "xt_ipvs", "iptable_filter", "iptable_nat", "iptable_mangle",
        ] { try run("modprobe", module) }
        try run(
            "sh", "-ec", "mkdir -p \(folder)/image/bin; mountpoint -q \(folder) || mount -t tmpfs tmpfs \(folder)")
        try run("ip", "netns", "attach", node, "1")
        try Namespace.link(node, Client.name, number: 99, interface: "eth99", isDefault: false)
        // Without a default route dockerd has no idea which addresses are free.
        try run("ip", "route", "add", "default", "via", "10.99.0.2")
        daemon = try BenchSupport.start(
            "sh", "-c", "exec dockerd --data-root \(folder)/data --storage-driver vfs >\(folder)/log 2>&1")
        try wait("dockerd") { (try? docker("version")) != nil }
        guard let busybox = ProcessInfo.processInfo.environment["MESHCTL_LAB_BUSYBOX"] else {
            throw BenchError("there is no Docker: use scripts/lab --docker")
        }
        try run(
            "sh", "-ec",
            """
            mkdir -p \(folder)/image/bin
            cp \(busybox) \(folder)/image/bin/busybox
            tar -C \(folder)/image -c . | docker import - \(image)
            """)
        try docker("swarm", "init", "--advertise-addr", address)
        try service("web", replicas: 2, ports: ["1080:80"])
        try wait("the tasks of the Swarm") { try balanced() == 2 }
        ownMarks = try marks()
        for container in try docker("ps", "--quiet").split(separator: "\n") {
            let pid = try docker("inspect", "--format", "{{.State.Pid}}", String(container))
            let name = "mb-swarm-\(servers.count)"
            try run("ip", "netns", "attach", name, String(pid.split(separator: "\n")[0]))
            servers.append(try Server(in: name))
        }
    }

    func end() {
        for server in servers { server.end() }
        for index in servers.indices { Namespace.remove("mb-swarm-\(index)") }
        daemon?.terminate()
        daemon?.waitUntilExit()
        // The name goes, not what it stands for.
        Namespace.remove(node)
    }

    /// The seconds until a service of one task has so many ports more, published one after the other as an operator would
    /// who finds a new port to publish each time.
    func secondsToPublish(_ ports: ClosedRange<Int>) throws -> Double {
        try service("published", replicas: 1, ports: [])
        return try ContinuousClock().measure {
            for port in ports { try docker("service", "update", "--quiet", "--publish-add", "\(port):80", "published") }
        }.seconds
    }

    /// The seconds until a new service has all ports, in one command.
    func secondsToPublishAtOnce(_ ports: ClosedRange<Int>) throws -> Double {
        try ContinuousClock().measure {
            try service("at-once", replicas: 1, ports: ports.map { "\($0):80" })
            try wait("the ports of the Swarm", for: 200) { try marks() == ownMarks + ports.count }
        }.seconds
    }

    /// Its ports go some time after the command.
    func remove(_ service: String) throws {
        try docker("service", "rm", service)
        try wait("the end of the ports of \(service)") { try marks() == ownMarks }
    }

    /// Until its tasks run. They are ended without waiting for them: `sleep` would not hear a SIGTERM.
    private func service(_ name: String, replicas: Int, ports: [String]) throws {
        try docker(
            ["service", "create", "--quiet", "--detach", "--no-resolve-image", "--name", name]
                + ["--stop-signal", "SIGKILL", "--replicas", "\(replicas)"] + ports.flatMap { ["--publish", $0] }
                + [image, "/bin/busybox", "sleep", "1000000"])
    }

    private func balanced() throws -> Int { try inSandbox("ipvsadm", "-Ln", counting: "Masq") }
    /// Of ports: a service has one more for its own address.
    private func marks() throws -> Int { try inSandbox("iptables-save", "-t", "mangle", counting: "--dport") }

    private func inSandbox(_ command: String..., counting word: String) throws -> Int {
        // The file is there a moment before the namespace is.
        let text = try run(["sh", "-c", "nsenter --net=\(sandbox) \"$@\" 2>/dev/null || true", "sh"] + command)
        return text.split(separator: "\n").count { $0.contains(word) }
    }

    @discardableResult
    private func docker(_ arguments: String...) throws -> String { try docker(arguments) }

    @discardableResult
    private func docker(_ arguments: [String]) throws -> String {
        try run(["sh", "-c", "exec docker \"$@\" 2>>\(folder)/complaints", "docker"] + arguments)
    }

    private func wait(_ what: String, for seconds: Int = 90, until isThere: () throws -> Bool) throws {
        for _ in 0..<seconds * 10 {
            if try isThere() { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
        let log = (try? run("tail", "-n", "5", "\(folder)/log")) ?? ""
        throw BenchError("\(what) did not come within \(seconds) s; dockerd says:\n\(log)")
    }
}
