import Foundation

/// Measures IPVSKit against programs that do the same, in one run: docs/benchmarks.md says what and how.
///
/// Usage: bench [--quick] [--goals] [--json FILE]. It takes root and a kernel with IPVS, and makes namespaces.
@main
struct Bench {
    static func main() {
        do {
            try run(CommandLine.arguments.dropFirst())
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: some Sequence<String>) throws {
        var plan = Plan.full
        var showsGoals = false
        var json: String?
        var rest = arguments.makeIterator()
        while let argument = rest.next() {
            switch argument {
            case "--quick": plan = .quick
            case "--goals": showsGoals = true
            case "--json": json = rest.next()
            default: throw BenchError("unknown argument \(argument): bench [--quick] [--goals] [--json FILE]")
            }
        }

        let results = try measure(plan)
        print(results.table())
        if showsGoals { print("\n" + results.goals()) }
        if let json { try results.json().write(to: URL(filePath: json)) }
    }

    private static func measure(_ plan: Plan) throws -> [Comparison] {
        let folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        var results: [Comparison] = []
        for (size, peers) in plan.runs {
            for peer in peers {
                let started = ContinuousClock.now
                let ours = try PeerProcess(executable: folder.appending(path: "ipvskit-peer"))
                let theirs = try PeerProcess(executable: folder.appending(path: peer.executable))
                var pairs: [Work: [Pair]] = [:]
                for number in 0...plan.pairs {
                    let ourTimes = try times(of: ours, size, namespace: "bench-ours")
                    let theirTimes = try times(of: theirs, size, namespace: "bench-theirs")
                    // The first warms both up.
                    if number == 0 { continue }
                    for work in Work.allCases {
                        guard let ours = ourTimes[work], let theirs = theirTimes[work.theirs] else { continue }
                        pairs[work, default: []].append(Pair(ours: ours, theirs: theirs))
                    }
                }
                try ours.end()
                try theirs.end()
                for work in Work.allCases {
                    guard let pairs = pairs[work] else { continue }
                    results.append(Comparison(work: work, size: size, peer: peer, pairs: pairs))
                }
                let seconds = (ContinuousClock.now - started).components.seconds
                FileHandle.standardError.write(
                    Data("bench: \(size) against \(peer.rawValue) took \(seconds) s\n".utf8))
            }
        }
        return results
    }
}
