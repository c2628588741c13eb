import Foundation

/// Measures IPVSKit against programs that do the same, in one run: docs/benchmarks.md says what and how.
///
/// Usage: bench [--quick] [--goals] [--json FILE]. It takes root and a kernel with IPVS, and makes namespaces.
@main
struct Bench {
    static func main() {
        do {
            try start(CommandLine.arguments.dropFirst())
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func start(_ arguments: some Sequence<String>) throws {
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
        // Creating the first service of all namespaces and deleting the last one cost the kernel sixty times as much as
        // any other, and the program that goes first would pay for it. So another namespace always has a service.
        try makeNamespace("bench-other")
        try run("ip", "netns", "exec", "bench-other", "ipvsadm", "-A", "-f", "1")
        defer { _ = try? run("ip", "netns", "del", "bench-other") }

        let auditor = try PeerProcess(executable: folder.appending(path: Peer.rawBatch.executable))
        var results: [Comparison] = []
        for (size, peers) in plan.runs {
            for peer in peers {
                let started = ContinuousClock.now
                let ours = try PeerProcess(executable: folder.appending(path: "ipvskit-peer"))
                let theirs = try PeerProcess(executable: folder.appending(path: peer.executable))
                var pairs: [Work: [Pair]] = [:]
                for number in 0...plan.pairs {
                    let oursFirst = number.isMultiple(of: 2)
                    let measured = try pair(ours, theirs, size, oursFirst: oursFirst, auditor: auditor)
                    // The first pair warms up both programs and is not counted.
                    if number == 0 { continue }
                    for (work, pair) in measured { pairs[work, default: []].append(pair) }
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
        try auditor.end()
        return results
    }
}
