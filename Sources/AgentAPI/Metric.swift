/// A metric with its samples, as Prometheus reads it.
struct Metric: Sendable {
    /// What the values of a metric mean.
    enum Kind: String, Sendable {
        /// A number that only grows, until it begins again at 0.
        case counter
        /// A number that grows and shrinks.
        case gauge
        /// Numbers of events in groups, with their sum and count.
        case histogram
    }

    /// The labels of a sample. All metrics of a task have the same, so that their text is made once: there may be ten
    /// thousand tasks.
    struct Labels: Equatable, Sendable {
        /// The names in order.
        let names: [String]
        /// The labels as they follow the metric's name: `{port="1080",transport="tcp"}`; empty without labels.
        let text: String

        init(_ labels: [(name: String, value: String)] = []) {
            names = labels.map(\.name)
            let texts = labels.map { "\($0.name)=\"\($0.value.escaped(quotes: true))\"" }
            text = texts.isEmpty ? "" : "{" + texts.joined(separator: ",") + "}"
        }
    }

    /// One value.
    struct Sample: Equatable, Sendable {
        /// What follows the metric's name, for a histogram: `_bucket`, `_sum`, `_count`.
        var suffix = ""
        var labels = Labels()
        var value: Double
    }

    /// What it is called, what its values mean, in which unit, and which labels they have.
    struct Definition: Equatable, Sendable {
        var name: String
        var kind: Kind
        /// What the metric is, in one sentence.
        var help: String
        /// The unit as docs/metrics.md has it: `connections`, `bytes`, `seconds`.
        var unit: String
        /// The names of the labels in order. A sample may lack some.
        var labels: [String] = []
    }

    let definition: Definition
    private let sample: @Sendable () -> [Sample]

    /// - Parameter samples: evaluated whenever the samples are asked for: the metrics of ten thousand tasks would occupy
    ///   much memory at once.
    init(definition: Definition, samples: @autoclosure @escaping @Sendable () -> [Sample]) {
        self.definition = definition
        sample = samples
    }

    var samples: [Sample] { sample() }
}

extension Metric {
    /// The metric in the text format of Prometheus, version 0.0.4, in pieces of some ten kilobytes; nothing without samples.
    var prometheusText: some Sequence<String> {
        let samples = samples
        return sequence(state: samples.startIndex) { index -> String? in
            guard index < samples.endIndex else { return nil }
            var text = index == samples.startIndex ? head : ""
            while index < samples.endIndex, text.utf8.count < Self.pieceSize {
                let sample = samples[index]
                text += definition.name
                text += sample.suffix
                text += sample.labels.text
                text += " "
                text += sample.value.prometheusText
                text += "\n"
                index += 1
            }
            return text
        }
    }

    private var head: String {
        "# HELP \(definition.name) \(definition.help.escaped(quotes: false))\n"
            + "# TYPE \(definition.name) \(definition.kind.rawValue)\n"
    }

    /// In bytes.
    private static let pieceSize = 32 << 10
}

extension Double {
    /// A whole number without a fraction. Numbers above 2⁵³ lose digits, as they do in Prometheus.
    var prometheusText: String {
        if self == .infinity { return "+Inf" }
        return magnitude < 0x1p53 && self == rounded() ? "\(Int64(self))" : "\(self)"
    }
}

extension String {
    fileprivate func escaped(quotes: Bool) -> String {
        guard unicodeScalars.contains(where: { $0 == "\\" || $0 == "\n" || $0 == "\"" }) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\"" where quotes: text += "\\\""
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
