import BenchSupport
import Foundation

/// nginx in a namespace: a server that takes more than any path brings it.
struct Server {
    private let process: Process

    init(in namespace: String) throws {
        let file = try Self.configuration()
        process = try BenchSupport.start(
            "ip", "netns", "exec", namespace, "nginx", "-c", file, "-g", "pid \(file).\(namespace);")
    }

    func end() { process.terminate() }

    private static func configuration() throws -> String {
        let folder = URL(filePath: "/tmp/mesh-bench")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "nginx.conf")
        guard !FileManager.default.fileExists(atPath: file.path) else { return file.path }
        try Data(repeating: 0x78, count: 1_000_000).write(to: folder.appending(path: "bulk"))
        try Data(
            """
            worker_processes 1;
            daemon off;
            master_process off;
            error_log stderr crit;
            events { worker_connections 4096; }
            http {
                access_log off;
                keepalive_requests 100000000;
                server {
                    listen 80 backlog=4096;
                    location = / { return 200 "hello\\n"; }
                    location = /bulk { root \(folder.path); sendfile on; }
                }
            }

            """.utf8
        ).write(to: file)
        return file.path
    }
}

/// A namespace with a server, behind a node.
struct Task {
    let name: String
    /// Its own address, if it has a link to the node.
    let address: String
    private let server: Server

    /// - Parameter link: the number of the link to the node; nil for a task that is to be attached.
    init(_ name: String, node: String, link: Int?) throws {
        self.name = name
        try Namespace.make(name)
        if let link { try Namespace.link(node, name, number: link) }
        address = link.map { "10.\($0).0.2" } ?? ""
        server = try Server(in: name)
    }

    func end() {
        server.end()
        Namespace.remove(name)
    }
}

/// A namespace between the client and two tasks.
class Node {
    let name: String
    let address: String
    let tasks: [Task]

    /// - Parameters:
    ///   - number: of the link to the client. Those to the tasks have ten times the number, and one more.
    ///   - linksTasks: whether tasks have links to the node.
    init(_ name: String, number: Int, linksTasks: Bool) throws {
        self.name = name
        address = "10.\(number).0.1"
        try Namespace.make(name)
        try Namespace.link(name, Client.name, number: number, interface: "eth\(number)", isDefault: false)
        try run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        tasks = try [0, 1].map { index in
            try Task("\(name)-\(index)", node: name, link: linksTasks ? 100 + number * 10 + index : nil)
        }
    }

    func end() {
        for task in tasks { task.end() }
        Namespace.remove(name)
    }
}

/// A router without any rule or balancer, and haproxy on it.
final class PlainNode: Node {
    private var haproxy: Process?

    init(number: Int, haproxy: Bool) throws {
        try super.init("mb-plain", number: number, linksTasks: true)
        for task in tasks { try run("ip", "-n", Client.name, "route", "add", task.address, "via", address) }
        guard haproxy else { return }
        let file = "/tmp/mesh-bench/haproxy.cfg"
        try Data(
            """
            global
                nbthread 1
                maxconn 4096
            defaults
                mode tcp
                timeout connect 5s
                timeout client 60s
                timeout server 60s
            listen published
                bind *:1080
                balance roundrobin
                option splice-auto
                server task0 \(tasks[0].address):80
                server task1 \(tasks[1].address):80

            """.utf8
        ).write(to: URL(filePath: file))
        self.haproxy = try start("ip", "netns", "exec", name, "haproxy", "-db", "-q", "-f", file)
    }

    override func end() {
        haproxy?.terminate()
        super.end()
    }
}

/// A node of the mesh.
final class MeshNode: Node {
    enum Balancer: String, CaseIterable {
        case host, ingress
    }

    let balancer: Balancer
    let tool: String
    private let folder: String

    init(_ balancer: Balancer, _ tool: String, number: Int, suffix: String = "") throws {
        (self.balancer, self.tool) = (balancer, tool)
        let name = "mb-\(balancer)-\(tool.prefix(3))\(suffix)"
        folder = "/tmp/mesh-bench/\(name)"
        try super.init(name, number: number, linksTasks: balancer == .host)
        for task in tasks {
            switch balancer {
            case .host: try meshctl("task", "add", "web", task.address, "--local")
            case .ingress: try meshctl("task", "attach", "web", "--netns", task.name)
            }
        }
    }

    func publish() throws { try meshctl("publish", "1080:80", "web") }

    @discardableResult
    func meshctl(_ arguments: String...) throws -> String { try meshctl(arguments) }

    @discardableResult
    func meshctl(_ arguments: [String]) throws -> String {
        try run(
            ["ip", "netns", "exec", name, Self.program] + arguments,
            environment: ["MESHCTL_STATE_DIR": folder, "MESHCTL_RULES": tool, "MESHCTL_NODE": name])
    }

    /// SwiftPM puts it beside this program.
    private static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "meshctl").path

    override func end() {
        _ = try? meshctl("reset")
        super.end()
    }
}
