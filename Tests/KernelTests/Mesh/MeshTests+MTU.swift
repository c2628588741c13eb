import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.MeshTests {
    /// A reply of a megabyte arrives whole from the task on another node, also where the path between the nodes is
    /// narrower, and each device of the overlay has the length that the path leaves.
    @Test(arguments: [1500, 1400]) func aMegabyteArrivesWhole(mtu: Int) async throws {
        try await MeshNodes.with(rules: RuleTool.tested[0]) { mesh in
            let task = try await mesh.taskWithMegabyte(on: 2)
            for node in mesh.nodes { try await node.namespace.ip(["link set up0 mtu \(mtu)"]) }
            try await mesh.publishEverywhere([task])
            for (place, device) in [
                ("mesh_ingress-node1", "vxlan0"), ("mesh_ingress-node1", "br0"), ("ingress_sbox-node1", "eth0"),
                ("mesh_ingress-node2", "vxlan0"), (task.namespace.name, "mesh4096"),
            ] {
                let shown = try await TestNamespace(name: place).check("ip", "link", "show", "dev", device)
                #expect(shown.contains("mtu \(mtu - 50) "), "\(place): \(shown)")
            }
            try await mesh.expectNothingPlanned()
            for node in mesh.nodes {
                for address in node.addresses {
                    let answers = try await mesh.client.get(address, port: 1080, count: 3)
                    #expect(answers.map(\.utf8.count) == [1 << 20, 1 << 20, 1 << 20], "by \(address)")
                }
            }
        }
    }

    /// A client to which no router can say that its packets are too long learns from the task's first answer what passes
    /// the overlay, and does not send longer ones.
    @Test(arguments: RuleTool.tested) func aClientThatHearsNoErrorsUploads(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let task = try await mesh.taskThatStores(on: 2)
            try await mesh.publishEverywhere([task])
            try await mesh.expectNothingPlanned()
            for (program, error) in [
                ("iptables", ["-p", "icmp", "--icmp-type", "fragmentation-needed"]),
                ("ip6tables", ["-p", "icmpv6", "--icmpv6-type", "packet-too-big"]),
            ] {
                try await mesh.client.check([program, "-A", "INPUT"] + error + ["-j", "DROP"])
            }
            for node in mesh.nodes {
                for address in node.addresses {
                    let answer = try await mesh.client.thread { Self.upload(100_000, to: address) }
                    #expect(answer.hasPrefix("HTTP/1.1 20"), "by \(address): \(answer)")
                }
            }
        }
    }

    /// A kernel tells itself by `lo` that a packet is too long for the way that a mark gives it. Docker switches IPv6 off
    /// there, and a new namespace has `lo` down.
    @Test(
        arguments: RuleTool.tested,
        [["sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1"], ["ip", "link", "set", "lo", "down"]])
    func aTaskWithoutLoopbackSendsAMegabyte(tool: RuleTool, command: [String]) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let task = try await mesh.taskWithMegabyte(on: 2)
            try await task.namespace.check(command)
            try await mesh.publishEverywhere([task])
            for node in mesh.nodes {
                for address in node.addresses {
                    let answers = try await mesh.client.get(address, port: 1080, count: 2)
                    #expect(answers.map(\.utf8.count) == [1 << 20, 1 << 20], "by \(address)")
                }
            }
        }
    }

    /// Stores a file, and gives the first line of the answer, or what went wrong.
    private static func upload(_ length: Int, to address: IPAddress) -> String {
        do throws(Errno) {
            let socket = try TrafficSocket(.tcp, address.family)
            try socket.connect(address, port: 1080)
            try socket.send("PUT /stored HTTP/1.1\r\nHost: mesh\r\nContent-Length: \(length)\r\n\r\n")
            try socket.send(String(repeating: "x", count: length))
            return String(try socket.receive().prefix { $0 != "\r\n" })
        } catch {
            return "\(error)"
        }
    }

    /// A datagram that must not be taken to pieces, and is too long for the overlay, makes the client learn what passes.
    @Test(arguments: RuleTool.tested) func aLongDatagramTeachesTheClientTheLength(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [2])
            defer { tasks.stop() }
            try await mesh.publishEverywhere(tasks, sourceIP: .keep)
            for node in mesh.nodes {
                for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                    let headers = address.family == .ipv4 ? 28 : 48
                    let (learnt, refusal, answer) = try await mesh.client.thread {
                        let socket = try TrafficSocket(.udp, address.family)
                        socket.forbidFragments()
                        try socket.connect(address, port: 1080)
                        try socket.send(String(repeating: "x", count: 1500 - headers))
                        for _ in 0..<100 where socket.pathMTU == 1500 { usleep(10000) }
                        let learnt = socket.pathMTU
                        // The kernel reports what it has learnt once, by the next call.
                        _ = try? socket.send("?")
                        var refusal = Errno(rawValue: 0)
                        do throws(Errno) { try socket.send(String(repeating: "x", count: 1500 - headers)) } catch {
                            refusal = error
                        }
                        let second = try TrafficSocket(.udp, address.family)
                        second.forbidFragments()
                        try second.connect(address, port: 1080)
                        // A guest that stands still for a moment may lose one.
                        for _ in 0..<3 {
                            try second.send(String(repeating: "x", count: 1450 - headers))
                            if let answer = try? second.receive() { return (learnt, refusal, answer) }
                        }
                        return (learnt, refusal, "none")
                    }
                    #expect(learnt == 1450, "by \(address)")
                    #expect(refusal == Errno(rawValue: EMSGSIZE), "by \(address)")
                    #expect(answer == "web1 \(client) 80", "by \(address)")
                }
            }
        }
    }

    /// The task learns from a router on the way to the client which packets pass there, although it replies by the
    /// sandbox of the node that the client asked.
    @Test(arguments: RuleTool.tested) func aMegabytePassesANarrowLinkToTheClient(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let task = try await mesh.taskWithMegabyte(on: 2)
            let far = try await mesh.clientBehindRouter(mtu: 1280)
            try await mesh.publishEverywhere([task], sourceIP: .keep)
            for node in mesh.nodes {
                for address in node.addresses {
                    let answers = try await far.get(address, port: 1080, count: 2)
                    #expect(answers.map(\.utf8.count) == [1 << 20, 1 << 20], "by \(address)")
                }
            }
        }
    }
}

extension MeshNodes {
    /// A task whose server, nginx, answers every request with a megabyte.
    fileprivate func taskWithMegabyte(on node: Int) async throws -> Task {
        let task = try await task("files", on: node)
        let directory = topology.directory
        try directory.appending("big").write(String(repeating: "0123456789abcdef", count: 65536))
        try await task.namespace.startNginx(in: directory, location: "root \(directory); rewrite ^ /big break;")
        return task
    }

    /// A task whose server, nginx, stores what it is sent.
    fileprivate func taskThatStores(on node: Int) async throws -> Task {
        let task = try await task("store", on: node)
        let directory = topology.directory
        try await task.namespace.startNginx(in: directory, location: "root \(directory); dav_methods PUT;")
        return task
    }
}
