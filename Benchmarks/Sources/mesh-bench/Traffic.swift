import BenchSupport
import Foundation

/// What a client gets by each path, in rounds that take the paths in turns.
enum Traffic {
    enum Work: String, CaseIterable {
        /// Requests for a few bytes, on connections that stay.
        case requests
        /// The same, with a connection for each request.
        case connections
        /// A file of a megabyte, again and again.
        case bulk

        var connections: Int { self == .bulk ? 4 : 32 }

        func text(_ seconds: Double) -> String {
            String(format: self == .bulk ? "%8.1f MB/s" : "%8.0f /s", 1 / seconds)
        }
    }

    /// A way to tasks, and the address at which a client finds it.
    struct Path {
        var name: String
        /// What carries the rules, if the path is ours.
        var rules: String?
        var address: String
    }

    static func measure(
        _ tools: [String], haproxy: Bool, swarm: Swarm?, rounds: Int
    ) throws -> [Result] {
        let plain = try PlainNode(number: 1, haproxy: haproxy)
        var nodes: [MeshNode] = []
        defer {
            plain.end()
            for node in nodes { node.end() }
        }
        for tool in tools {
            for balancer in MeshNode.Balancer.allCases {
                let node = try MeshNode(balancer, tool, number: 2 + nodes.count)
                nodes.append(node)
                try node.publish()
            }
        }
        let ours = nodes.map { Path(name: $0.balancer.rawValue, rules: $0.tool, address: $0.address + ":1080") }
        var peers = [Path(name: "direct", address: plain.tasks[0].address + ":80")]
        if haproxy { peers.append(Path(name: "haproxy", address: plain.address + ":1080")) }
        if let swarm { peers.append(Path(name: "swarm", address: swarm.address + ":1080")) }
        let paths = peers + ours
        for path in paths { try Client.expectAnswer(at: path.address) }

        /// Seconds for one piece of work, by work, path and round.
        var measured: [Work: [[Double]]] = [:]
        for round in 0...rounds {
            for work in Work.allCases {
                var found = [Double](repeating: 0, count: paths.count)
                // The one that is measured first finds the processor's caches cold.
                for index in round.isMultiple(of: 2) ? Array(paths.indices) : paths.indices.reversed() {
                    found[index] = try Client.secondsEach(work, at: paths[index].address)
                }
                // The first round is not counted.
                if round > 0 { measured[work, default: []].append(found) }
            }
        }
        var results: [Result] = []
        for work in Work.allCases {
            for (place, path) in zip(peers.count..<paths.count, ours) {
                for (index, peer) in peers.enumerated() {
                    let result = Result(
                        work.rawValue, peer: peer.name, path: path.name, rules: path.rules!,
                        pairs: measured[work]!.map { ($0[place], $0[index]) })
                    results.append(result)
                    say(result.line(work.text))
                }
            }
        }
        return results
    }
}

/// A client of all nodes, each of which it reaches by a link of its own.
enum Client {
    static let name = "mb-client"

    static func make() throws {
        try Namespace.make(name)
        try run(
            "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535",
            "net.ipv4.tcp_fin_timeout=5")
    }

    static func end() { Namespace.remove(name) }

    static func expectAnswer(at address: String) throws {
        for _ in 0..<100 {
            if (try? request(address)) == "hello\n" { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
        throw BenchError("\(address) does not answer: \(try request(address))")
    }

    private static func request(_ address: String) throws -> String {
        try run("ip", "netns", "exec", name, "curl", "-sS", "--max-time", "2", "http://\(address)/")
    }

    /// The seconds that one request takes when so many are asked at once; for `bulk` those of a megabyte.
    static func secondsEach(_ work: Traffic.Work, at address: String) throws -> Double {
        var command = [
            "ip", "netns", "exec", name, "wrk", "--threads", "1", "--connections", "\(work.connections)", "--duration",
            "1s",
        ]
        if work == .connections { command += ["--header", "Connection: close"] }
        let output = try run(command + ["http://\(address)/" + (work == .bulk ? "bulk" : "")])
        // `Requests/sec:   6042.17`, and complaints on lines of their own.
        guard !output.contains("Non-2xx"), !output.contains("Socket errors"),
            let line = output.split(separator: "\n").first(where: { $0.hasPrefix("Requests/sec:") }),
            let rate = Double(line.split(separator: " ").last!), rate > 0
        else { throw BenchError("\(work.rawValue) at \(address): \(output)") }
        return 1 / rate
    }
}
