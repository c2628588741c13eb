import BenchSupport
import Foundation

/// Published ports compared with haproxy and with a Docker Swarm: docs/benchmarks.md says what and how.
///
/// Usage: mesh-bench [--quick] [--rules nftables,iptables] [--peers haproxy,swarm] [--works traffic,publish]
/// [--json FILE]. It takes root, a kernel with IPVS, wrk, nginx, haproxy and dockerd, and makes namespaces. To the list
/// in FILE it adds its own.
@main
struct MeshBench {
    static func main() {
        do {
            var options = Options()
            try options.read(CommandLine.arguments.dropFirst())
            try measure(options)
        } catch {
            FileHandle.standardError.write(Data("mesh-bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private struct Options {
        var rounds = 7
        var tools = ["nftables", "iptables"]
        var peers = ["haproxy", "swarm"]
        var works = ["traffic", "publish"]
        var json: String?

        mutating func read(_ arguments: ArraySlice<String>) throws {
            var arguments = arguments
            func list() -> [String] { arguments.popFirst()?.split(separator: ",").map(String.init) ?? [] }
            while let argument = arguments.popFirst() {
                switch argument {
                case "--quick": rounds = 3
                case "--rules": tools = list()
                case "--peers": peers = list()
                case "--works": works = list()
                case "--json": json = arguments.popFirst()
                default: throw BenchError("unknown argument \(argument)")
                }
            }
        }
    }

    private static func measure(_ options: Options) throws {
        let swarm = options.peers.contains("swarm") ? Swarm() : nil
        printVersions(of: options.peers)
        try Client.make()
        defer {
            swarm?.end()
            Client.end()
        }
        try swarm?.start()
        // What one part has measured is kept if the next one fails.
        if options.works.contains("traffic") {
            try keep(
                try Traffic.measure(
                    options.tools, haproxy: options.peers.contains("haproxy"), swarm: swarm, rounds: options.rounds),
                options)
        }
        if options.works.contains("publish"), let swarm {
            try keep(try Publishing.measure(options.tools, swarm), options)
        }
    }

    private static func keep(_ results: [Result], _ options: Options) throws {
        say("\n" + goals.flatMap { goal in results.compactMap(goal.verdict) }.joined(separator: "\n") + "\n")
        if let json = options.json { try Result.append(results, to: URL(filePath: json)) }
    }

    private static func printVersions(of peers: [String]) {
        say("Linux " + firstLine("uname", "-r"))
        for command in [["nginx", "-v"], ["wrk", "-v"]] { say(firstLine(command)) }
        if peers.contains("haproxy") { say(firstLine("haproxy", "-v")) }
        if peers.contains("swarm") { say(firstLine("dockerd", "--version")) }
    }

    private static func firstLine(_ command: String...) -> String { firstLine(command) }

    /// wrk ends with an error after it has printed its version.
    private static func firstLine(_ command: [String]) -> String {
        let text = (try? run(["sh", "-c", "\"$@\" 2>&1 || true", "sh"] + command)) ?? ""
        return text.split(separator: "\n").first.map(String.init) ?? "\(command[0]): no version"
    }
}

/// What the project wants.
private let goals =
    ["host", "ingress"].flatMap {
        [
            Goal(name: "connections", peer: "haproxy", path: $0, ratio: 1.6),
            Goal(name: "requests", peer: "haproxy", path: $0, ratio: 1.8),
        ]
    } + ["requests", "connections", "bulk"].map { Goal(name: $0, peer: "swarm", path: "ingress", ratio: 1) } + [
        Goal(name: "publish-50/commands", peer: "swarm", ratio: 50),
        Goal(name: "publish-50/one", peer: "swarm", ratio: 500),
        Goal(name: "publish-50/apply", peer: "swarm", ratio: 500),
    ]
