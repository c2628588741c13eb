import BenchSupport
import Foundation

/// What published ports cost: a packet, and one port more. docs/benchmarks.md says what and how.
///
/// Usage: rules-bench [--quick] [--rules nftables,iptables] [--json FILE]. It takes root and a kernel with IPVS, and
/// makes namespaces. To the list in FILE it adds its own.
///
/// The other verbs are what it starts in those namespaces: `flood`, `sink`, `publish`, `idle`.
@main
struct RulesBench {
    static func main() async {
        do {
            var arguments = CommandLine.arguments.dropFirst()
            switch arguments.first {
            case "flood": try Flood.run(Array(arguments.dropFirst()))
            case "sink": try Flood.sink(Array(arguments.dropFirst()))
            case "publish": try await Publishing.perform(Array(arguments.dropFirst()))
            case "idle": try await IdlePass.perform(Array(arguments.dropFirst()))
            default: try await measure(&arguments)
            }
        } catch {
            FileHandle.standardError.write(Data("rules-bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func measure(_ arguments: inout ArraySlice<String>) async throws {
        var pairs = 5
        var tools = ["nftables", "iptables"]
        var json: String?
        while let argument = arguments.popFirst() {
            switch argument {
            case "--quick": pairs = 3
            case "--rules": tools = arguments.popFirst()?.split(separator: ",").map(String.init) ?? []
            case "--json": json = arguments.popFirst()
            default: throw BenchError("unknown argument \(argument)")
            }
        }
        var results: [Result] = []
        for tool in tools {
            for measure in [PacketCost.measure, PortCost.measure, Publishing.measure, IdlePass.measure] {
                let more = try await measure(tool, pairs)
                results += more
                for result in more { say(result.line()) }
            }
        }
        say("\n" + goals.flatMap { goal in results.compactMap(goal.verdict) }.joined(separator: "\n"))
        if let json { try Result.append(results, to: URL(filePath: json)) }
    }
}

/// What the project wants.
private let goals = [
    Goal(name: "packet/5000-ports", peer: "1-port", ratio: 1 / 1.1),
    Goal(name: "add-port/5000", peer: "10-ports", ratio: 1 / 1.5),
    Goal(name: "publish/5000", peer: "10-ports", ratio: 1 / 4.0),
    Goal(name: "idle-pass/5000-ports", peer: "reading", ratio: 1 / 1.2),
    Goal(name: "idle-pass/1001-tasks", peer: "reading", ratio: 1 / 1.2),
]
