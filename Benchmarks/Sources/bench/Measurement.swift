import Foundation

/// A pair of times, ours and theirs, measured one after the other.
struct Pair {
    /// Seconds.
    var ours: Double
    var theirs: Double
    var ratio: Double { theirs / ours }
}

/// A program at work in a namespace of its own.
///
/// The namespace is fresh because the kernel remembers: it keeps removed destinations for two minutes and looks
/// through them whenever one is added.
struct Benchmark {
    private let process: PeerProcess
    private let size: Size
    private let namespace: String

    init(_ process: PeerProcess, _ size: Size, namespace: String) throws {
        self.process = process
        self.size = size
        self.namespace = namespace
        try makeNamespace(namespace)
        _ = try process.ask("open \(namespace) \(size.services) \(size.destinations)")
    }

    func end() throws {
        _ = try process.ask("close")
        try run("ip", "netns", "del", namespace)
    }

    /// Seconds. Nil for what the program cannot do.
    func time(of work: Work) throws -> Double? {
        guard let answer = try process.ask(work.rawValue) else { return nil }
        let all = size.services * size.destinations
        let wanted: [Int] =
            switch work {
            // After the update each weight is 2.
            case .dump, .snapshot: [size.services, all, all * 2]
            case .diff: [(all + 9) / 10]
            case .create, .update, .delete: []
            }
        guard let seconds = answer.first.flatMap(Double.init), answer.dropFirst().map({ Int($0) }) == wanted else {
            throw BenchError("\(process.name) answered \(work) with \(answer), and should have counted \(wanted)")
        }
        return seconds
    }

    /// Lets another program compare what the kernel has with what should be there after a work.
    func check(after work: Work, by auditor: PeerProcess) throws {
        let all = size.services * size.destinations
        let wanted: [Int]
        switch work {
        case .create: wanted = [size.services, all, all]
        case .update: wanted = [size.services, all, all * 2]
        case .delete: wanted = [0, 0, 0]
        case .dump, .snapshot, .diff: return
        }
        _ = try auditor.ask("open \(namespace) 0 0")
        let found = try auditor.ask("dump")?.dropFirst().map { Int($0) }
        _ = try auditor.ask("close")
        guard found == wanted else {
            throw BenchError(
                "\(process.name), after \(work): the kernel has \(found ?? []) services, destinations and weights, "
                    + "and should have \(wanted)")
        }
    }
}

/// A namespace in which the kernel takes destinations: it does not where no interface was ever up.
func makeNamespace(_ name: String) throws {
    // An interrupted run may have left the namespace behind.
    _ = try? run("sh", "-c", "ip netns del \(name) 2>/dev/null")
    try run("ip", "netns", "add", name)
    try run("ip", "-n", name, "link", "set", "lo", "up")
}

/// One pair of runs, ours and theirs, work by work: what else the machine does meanwhile then falls on both alike.
///
/// Whoever comes first finds the kernel cold, which costs a tenth or so: a program measured against itself showed it.
func pair(
    _ ours: PeerProcess, _ theirs: PeerProcess, _ size: Size, oursFirst: Bool, auditor: PeerProcess
) throws -> [Work: Pair] {
    let our = try Benchmark(ours, size, namespace: "bench-ours")
    let their = try Benchmark(theirs, size, namespace: "bench-theirs")
    var ourTimes: [Work: Double] = [:]
    var theirTimes: [Work: Double] = [:]
    for work in Work.allCases {
        if oursFirst { ourTimes[work] = try our.time(of: work) }
        theirTimes[work] = try their.time(of: work)
        if !oursFirst { ourTimes[work] = try our.time(of: work) }
        try our.check(after: work, by: auditor)
        try their.check(after: work, by: auditor)
    }
    try our.end()
    try their.end()
    // The kernel deletes namespaces in the background, and the next pair must not pay for that.
    Thread.sleep(forTimeInterval: 0.5)
    return Dictionary(
        uniqueKeysWithValues: Work.allCases.compactMap { work in
            guard let ours = ourTimes[work], let theirs = theirTimes[work.theirs] else { return nil }
            return (work, Pair(ours: ours, theirs: theirs))
        })
}
