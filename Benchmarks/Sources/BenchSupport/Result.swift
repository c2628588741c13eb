package import Foundation

/// Prints a line at once: all of them together take minutes.
package func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// One work against one peer.
package struct Result {
    package var name: String
    package var peer: String
    /// The path of ours that did the work, if there is more than one.
    package var path: String?
    /// What carries the rules.
    package var rules: String
    /// Seconds: for one piece of work, if many were done.
    package var ours: Double
    package var theirs: Double
    package var ratio: Double { theirs / ours }

    /// The pair with the median ratio.
    package init(
        _ name: String, peer: String, path: String? = nil, rules: String, pairs: [(ours: Double, theirs: Double)]
    ) {
        let sorted = pairs.sorted { $0.theirs / $0.ours < $1.theirs / $1.ours }
        (ours, theirs) = sorted[sorted.count / 2]
        (self.name, self.peer, self.path, self.rules) = (name, peer, path, rules)
    }

    /// - Parameter unit: how the seconds are printed, `32.10 µs` unless said.
    package func line(_ unit: (Double) -> String = { String(format: "%10.2f µs", $0 * 1e6) }) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return padded(name, 22) + (path.map { padded($0, 9) } ?? "") + padded(rules, 10) + padded(peer, 16)
            + String(format: "%8.2f", ratio) + "   ours \(unit(ours))   theirs \(unit(theirs))"
    }

    /// Adds results to the list in a file.
    package static func append(_ results: [Result], to file: URL) throws {
        var list: [Any] = []
        if let data = try? Data(contentsOf: file), let old = try JSONSerialization.jsonObject(with: data) as? [Any] {
            list = old
        }
        list += results.map {
            var fields: [String: Any] = [
                "name": $0.name, "peer": $0.peer, "rules": $0.rules, "ours": $0.ours, "theirs": $0.theirs,
                "ratio": $0.ratio,
            ]
            fields["path"] = $0.path
            return fields
        }
        try JSONSerialization.data(withJSONObject: list, options: [.prettyPrinted, .sortedKeys]).write(to: file)
    }
}

/// What the project wants.
package struct Goal {
    package var name: String
    package var peer: String
    package var path: String?
    /// At least.
    package var ratio: Double

    package init(name: String, peer: String, path: String? = nil, ratio: Double) {
        (self.name, self.peer, self.path, self.ratio) = (name, peer, path, ratio)
    }

    /// Nil for another work.
    package func verdict(_ result: Result) -> String? {
        guard result.name == name, result.peer == peer, result.path == path else { return nil }
        let words = path.map { "\(name) by \($0)" } ?? name
        return (result.ratio >= ratio ? "met    " : "MISSED ")
            + String(format: "%@ with %@: %.2f of %@, at least %.2f", words, result.rules, result.ratio, peer, ratio)
    }
}
