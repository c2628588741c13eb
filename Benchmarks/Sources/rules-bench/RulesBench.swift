import Foundation
import RuleKit

/// What published ports cost: a packet, and one port more. docs/benchmarks.md says what and how.
///
/// Usage: rules-bench [--quick] [--rules nftables,iptables] [--json FILE]. It takes root and a kernel with IPVS, and
/// makes namespaces. To the list in FILE it adds its own.
///
/// The other verbs are what it starts in those namespaces: `flood`, `sink`, `publish`.
@main
struct RulesBench {
    static func main() async {
        do {
            var arguments = CommandLine.arguments.dropFirst()
            switch arguments.first {
            case "flood": try Flood.run(Array(arguments.dropFirst()))
            case "sink": try Flood.sink(Array(arguments.dropFirst()))
            case "publish": try await Publishing.perform(Array(arguments.dropFirst()))
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
            for measure in [PacketCost.measure, PortCost.measure, Publishing.measure] {
                let more = try await measure(tool, pairs)
                results += more
                // Results are printed as they come, because all of them together take minutes.
                for result in more { FileHandle.standardOutput.write(Data((result.line + "\n").utf8)) }
            }
        }
        print("\n" + Goal.all.flatMap { goal in results.compactMap(goal.verdict) }.joined(separator: "\n"))
        if let json { try Result.append(results, to: URL(filePath: json)) }
    }
}

/// One work against one peer: ours with many ports, theirs with few, or with a rule for each.
struct Result {
    var name: String
    var peer: String
    /// What carries the rules.
    var rules: String
    /// Seconds.
    var ours: Double
    var theirs: Double
    var ratio: Double { theirs / ours }

    /// The pair with the median ratio.
    init(_ name: String, peer: String, rules: String, pairs: [(ours: Double, theirs: Double)]) {
        let sorted = pairs.sorted { $0.theirs / $0.ours < $1.theirs / $1.ours }
        (ours, theirs) = sorted[sorted.count / 2]
        (self.name, self.peer, self.rules) = (name, peer, rules)
    }

    var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return padded(name, 22) + padded(rules, 10) + padded(peer, 16)
            + String(format: "%8.2f   ours %10.2f µs   theirs %10.2f µs", ratio, ours * 1e6, theirs * 1e6)
    }

    static func append(_ results: [Result], to file: URL) throws {
        var list: [Any] = []
        if let data = try? Data(contentsOf: file), let old = try JSONSerialization.jsonObject(with: data) as? [Any] {
            list = old
        }
        list += results.map {
            [
                "name": $0.name, "peer": $0.peer, "rules": $0.rules, "ours": $0.ours, "theirs": $0.theirs,
                "ratio": $0.ratio,
            ] as [String: Any]
        }
        try JSONSerialization.data(withJSONObject: list, options: [.prettyPrinted, .sortedKeys]).write(to: file)
    }
}

/// What the project wants.
struct Goal {
    var name: String
    var peer: String
    /// At least.
    var ratio: Double

    static let all = [
        Goal(name: "packet/5000-ports", peer: "1-port", ratio: 1 / 1.1),
        Goal(name: "add-port/5000", peer: "10-ports", ratio: 1 / 1.5),
        Goal(name: "publish/5000", peer: "10-ports", ratio: 1 / 4.0),
    ]

    /// Nil for another work.
    func verdict(_ result: Result) -> String? {
        guard result.name == name, result.peer == peer else { return nil }
        return (result.ratio >= ratio ? "met    " : "MISSED ")
            + String(format: "%@ with %@: %.2f, at least %.2f", name, result.rules, result.ratio, ratio)
    }
}

struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
