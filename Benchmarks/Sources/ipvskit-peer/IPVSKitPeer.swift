import IPVSKit

#if canImport(Glibc)
    import Glibc
#endif

/// Ours: does with IPVSKit what the harness says on standard input, and measures itself.
@main
struct IPVSKitPeer {
    static func main() async throws {
        var run: Run?
        while let line = readLine() {
            let words = line.split(separator: " ")
            switch (words.first, run) {
            case ("open", _):
                run = try await Run(namespace: String(words[1]), services: Int(words[2])!, destinations: Int(words[3])!)
                print("ok")
            case ("close", _):
                run = nil
                print("ok")
            case (let work?, var opened?):
                print(try await opened.answer(to: String(work)))
                run = opened
            default:
                print("none")
            }
            // print would buffer its output, because it goes into a pipe.
            fflush(nil)
        }
    }
}

/// One fresh namespace, from open to close.
private struct Run {
    let ipvs: IPVS
    let workload: Workload
    var dumped: [VirtualServiceStatus] = []
    let clock = ContinuousClock()

    /// The first call opens the socket and finds the family, which the peers do before they are measured too.
    init(namespace: String, services: Int, destinations: Int) async throws {
        ipvs = try IPVS(in: .named(namespace))
        workload = Workload(services: services, destinations: destinations)
        _ = try await ipvs.services()
    }

    /// Does a work and says how long it took and what came of it; `none` for what the library cannot do.
    mutating func answer(to work: String) async throws -> String {
        let start = clock.now
        switch work {
        case "create": return try await perform(workload.creations, since: start)
        case "update": return try await perform(workload.updates, since: start)
        case "delete": return try await perform(workload.deletions, since: start)
        case "dump":
            dumped = []
            let start = clock.now
            dumped = try await ipvs.status()
            let duration = clock.now - start
            let weights = dumped.flatMap(\.destinations).map(\.destination.weight)
            return "\(seconds(duration)) \(dumped.count) \(weights.count) \(weights.reduce(0, +))"
        case "diff":
            let found = Table(dumped)
            let start = clock.now
            let changes = Table.changes(from: found, to: workload.other)
            return "\(seconds(clock.now - start)) \(changes.count)"
        case "snapshot":
            let start = clock.now
            let table = try await ipvs.table()
            let duration = clock.now - start
            let weights = table.entries.values.flatMap(\.destinations.values).map(\.weight)
            return "\(seconds(duration)) \(table.entries.count) \(weights.count) \(weights.reduce(0, +))"
        default: return "none"
        }
    }

    private func perform(_ changes: [Change], since start: ContinuousClock.Instant) async throws -> String {
        try await ipvs.perform(changes).get()
        return seconds(clock.now - start)
    }

    private func seconds(_ duration: Duration) -> String { String(duration / .seconds(1)) }
}
