import Foundation

/// One work at one size against one peer.
struct Comparison {
    var work: Work
    var size: Size
    var peer: Peer
    var pairs: [Pair]

    /// The pair with the median ratio; of an even number, the geometric mean of the two in the middle.
    var median: Pair {
        let sorted = pairs.sorted { $0.ratio < $1.ratio }
        let (low, high) = (sorted[(pairs.count - 1) / 2], sorted[pairs.count / 2])
        return Pair(ours: (low.ours * high.ours).squareRoot(), theirs: (low.theirs * high.theirs).squareRoot())
    }
    var name: String { work.name(at: size) }
}

extension [Comparison] {
    private func find(_ work: Work, _ size: Size, _ peer: Peer) -> Comparison? {
        first { $0.work == work && $0.size == size && $0.peer == peer }
    }

    /// Ratios, theirs to ours, and the time of ours beside them.
    func table() -> String {
        var lines = [line("", Peer.allCases.map(\.rawValue) + ["ours, ms", "µs/object"])]
        for work in Work.allCases {
            for size in sizes {
                let results = Peer.allCases.map { find(work, size, $0) }
                guard let one = results.compactMap(\.self).first else { continue }
                lines.append(
                    line(
                        one.name,
                        results.map { $0.map { figure($0.median.ratio) } ?? "-" } + [
                            figure(one.median.ours * 1e3), figure(one.perObject * 1e6),
                        ]))
            }
        }
        return lines.joined(separator: "\n")
    }

    /// How each goal stands, and what there is no figure for.
    func goals() -> String {
        var lines: [String] = []
        for goal in Goal.all {
            let name = "\(goal.work.rawValue)/\(goal.size) against \(goal.peer.rawValue)"
            if let ratio = find(goal.work, goal.size, goal.peer)?.median.ratio {
                lines.append("\(verdict(ratio >= goal.ratio)) \(name): \(figure(ratio)), at least \(goal.ratio)")
            } else {
                lines.append("-      \(name): not measured, at least \(goal.ratio)")
            }
        }
        let small = Size(services: 1000, destinations: 2)
        let large = Size(services: 5000, destinations: 2)
        for work in Work.allCases {
            guard let one = find(work, small, .rawBatch), let other = find(work, large, .rawBatch) else { continue }
            let growth = other.perObject / one.perObject
            let theirs = growth * (other.median.ratio / one.median.ratio)
            lines.append(
                "\(verdict(growth <= Goal.growth)) \(work.rawValue), time per object at \(large) to that at \(small): "
                    + "\(figure(growth)), at most \(Goal.growth) (raw-batch: \(figure(theirs)))")
        }
        return lines.joined(separator: "\n")
    }

    /// The list that `BENCH_JSON` asks for.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(
            map {
                Entry(
                    name: $0.name, peer: $0.peer.rawValue, ours: $0.median.ours, theirs: $0.median.theirs,
                    ratio: $0.median.ratio)
            })
    }

    private var sizes: [Size] {
        reduce(into: []) { sizes, result in if !sizes.contains(result.size) { sizes.append(result.size) } }
    }

    private func verdict(_ holds: Bool) -> String { holds ? "holds " : "MISSED" }

    private func line(_ name: String, _ columns: [String]) -> String {
        name.padding(toLength: 18, withPad: " ", startingAt: 0)
            + columns.map { String(repeating: " ", count: Swift.max(1, 11 - $0.count)) + $0 }.joined()
    }

    private func figure(_ value: Double) -> String { String(format: value < 100 ? "%.2f" : "%.0f", value) }
}

extension Comparison {
    /// The median of ours, in seconds for each kernel object.
    fileprivate var perObject: Double {
        pairs.map(\.ours).sorted()[pairs.count / 2] / Double(size.objects(of: work))
    }
}

/// A line of `BENCH_JSON`.
private struct Entry: Encodable {
    var name: String
    var peer: String
    /// Seconds.
    var ours: Double
    /// Seconds.
    var theirs: Double
    /// Of theirs to ours: the median, of the pair that the seconds are of.
    var ratio: Double
}
