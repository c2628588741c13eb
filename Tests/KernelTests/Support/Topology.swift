import IPVSKit
import MeshKit
import Netlink
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The network namespaces of one test, with names of its own, taken down last-in first-out.
final class Topology {
    let prefix = "mt" + String(UInt32.random(in: 0x1000_0000 ... .max), radix: 16) + "-"
    let directory: FilePath
    private(set) var namespaces: [TestNamespace] = []

    private init(directory: FilePath) { self.directory = directory }

    /// Runs a test in namespaces of its own. Where it throws, what the kernel holds is printed before it goes.
    static func with(_ body: (Topology) async throws -> Void) async throws {
        // A module in some kernels, and then loaded by nothing that the tests do first.
        if access("/proc/net/if_inet6", F_OK) != 0 { try await Shell.check("modprobe", "ipv6") }
        try await TemporaryDirectory.with { directory in
            let topology = Topology(directory: directory)
            do {
                try await body(topology)
            } catch {
                await topology.dump()
                await topology.tearDown()
                throw error
            }
            await topology.tearDown()
        }
    }

    func namespace(_ name: String) async throws -> TestNamespace {
        let namespace = TestNamespace(name: prefix + name)
        try await Shell.check("ip", "netns", "add", namespace.name)
        namespaces.append(namespace)
        // A link-local address is otherwise tentative for a second or two, and without one nobody is asked where a
        // neighbour is: the first datagram would come later than a test waits for it.
        try await namespace.thread {
            let file = try FileDescriptor.open("/proc/sys/net/ipv6/conf/default/accept_dad", .writeOnly)
            _ = try file.closeAfter { try file.writeAll("0\n".utf8) }
        }
        try await Shell.check("ip", "-n", namespace.name, "link", "set", "lo", "up")
        return namespace
    }

    /// A veth pair between two namespaces. `10.N.0.1` and `fdNN::1` are `near`'s, `….2` and `…::2` `far`'s.
    func link(_ near: TestNamespace, _ far: TestNamespace, number: Int) async throws -> Link {
        let link = Link(number: number)
        try await Shell.check(
            "ip", "link", "add", "v\(number)", "netns", near.name, "type", "veth", "peer", "name", "eth0", "netns",
            far.name)
        try await near.ip(
            [
                "addr add \(link.near4)/24 dev v\(number)", "addr add \(link.near6)/64 dev v\(number) nodad",
                "link set v\(number) up",
            ])
        try await far.ip(
            ["addr add \(link.far4)/24 dev eth0", "addr add \(link.far6)/64 dev eth0 nodad", "link set eth0 up"])
        return link
    }

    struct Link {
        var number: Int
        var near4: IPAddress { IPAddress(ipv4: 10 << 24 | UInt32(number) << 16 | 1) }
        var far4: IPAddress { IPAddress(ipv4: 10 << 24 | UInt32(number) << 16 | 2) }
        var near6: IPAddress { IPAddress(ipv6: (0xFD00 + UInt128(number)) << 112 | 1) }
        var far6: IPAddress { IPAddress(ipv6: (0xFD00 + UInt128(number)) << 112 | 2) }
    }

    private func dump() async {
        for namespace in namespaces {
            for command in [
                ["ipvsadm", "-Ln"], ["iptables-save"], ["ip6tables-save"], ["ipset", "save"], ["ip", "addr"],
                ["ip", "route"],
            ] {
                guard let ran = try? await namespace.run(command), !ran.output.isEmpty else { continue }
                print("--- \(namespace.name): \(ran)")
            }
        }
    }

    private func tearDown() async {
        while let namespace = namespaces.popLast() {
            let pids =
                (try? await Shell.run(["ip", "netns", "pids", namespace.name]))?.output.split(separator: "\n") ?? []
            if !pids.isEmpty { _ = try? await Shell.run(["kill", "-9"] + pids.map(String.init)) }
            // What the detour left is known by the number of its node's namespace, which the next may be given.
            if let helper = try? namespace.helper() { _ = try? await Shell.run(["ip", "netns", "del", helper.name]) }
            _ = try? await Shell.run(["ip", "netns", "del", namespace.name])
        }
    }
}

/// A network namespace, and programs run in it.
struct TestNamespace: Sendable {
    let name: String

    func run(_ command: [String], environment: [String: String] = [:]) async throws -> Ran {
        try await Shell.run(["ip", "netns", "exec", name] + command, environment: environment)
    }

    @discardableResult
    func check(_ command: String..., input: String = "") async throws -> String {
        try await Shell.check(["ip", "netns", "exec", name] + command, input: input)
    }

    /// Lines as `ip` takes them, in one process.
    func ip(_ lines: [String], options: String...) async throws {
        try await Shell.check(
            ["ip"] + options + ["-n", name, "-batch", "-"], input: lines.joined(separator: "\n") + "\n")
    }

    /// Starts nginx with its files in a folder.
    ///
    /// - Parameter location: what it does with each request, in the words of its configuration.
    func startNginx(in directory: FilePath, port: Int = 80, location: String) async throws {
        try directory.appending("nginx.conf").write(
            """
            user root; pid \(directory)/pid; error_log \(directory)/error.log; worker_processes 1;
            events {}
            http {
                access_log off;
                client_body_temp_path \(directory)/a; proxy_temp_path \(directory)/b;
                fastcgi_temp_path \(directory)/c; uwsgi_temp_path \(directory)/d; scgi_temp_path \(directory)/e;
                server {
                    listen \(port); listen [::]:\(port);
                    location / { \(location) }
                }
            }
            """)
        try await check("nginx", "-c", "\(directory)/nginx.conf")
    }

    /// Runs the body on a thread in this namespace.
    func thread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await DetachedThread.run(in: NamespaceHandle(path: FilePath("/run/netns/\(name)")), body)
    }
}
