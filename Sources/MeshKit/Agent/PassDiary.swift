import IPVSKit
package import Logging
import RuleKit

/// Decides what the agent logs of its passes: each thing that was done, with the reason, and each fault once, when it
/// appears and when it is gone, and not with every pass that finds it again.
package struct PassDiary: Equatable, Sendable {
    /// A line of the log.
    package struct Line: Equatable, Sendable {
        package var level: Logger.Level
        package var message: String
        package var fields: [String: String]

        package init(_ level: Logger.Level, _ message: String, _ fields: [String: String] = [:]) {
            self.level = level
            self.message = message
            self.fields = fields
        }

        /// A change that was made to the kernel.
        ///
        /// - Parameters:
        ///   - reasons: what was found.
        ///   - cause: what made the pass due, or which operation asked for the change.
        package init(
            _ action: String, of part: Plan.Step.Part, in place: PlaceID, because reasons: [String], cause: String
        ) {
            var fields = ["part": part.rawValue, "place": "\(place)", "cause": cause]
            if !reasons.isEmpty { fields["because"] = reasons.joined(separator: "; ") }
            self.init(.info, action, fields)
        }
    }

    /// The reason of the last failure, until a pass has succeeded.
    private var failure: String?
    private var notes: Set<String> = []
    private var retiring: Set<String> = []
    private var starting: Set<String> = []

    package init() {}

    /// The lines for a pass that succeeded.
    ///
    /// - Parameters:
    ///   - differences: how the spec was changed because of tasks that were found.
    ///   - warnings: what is wrong with such tasks, or with their sources.
    package mutating func lines(
        for change: MeshChange, _ differences: [String] = [], warningOf warnings: [String] = [],
        because cause: PassSchedule.Cause, after failures: Int, lasting duration: Duration
    ) -> [Line] {
        var lines = differences.map { Line(.info, "mesh: \($0)", ["cause": "\(cause)"]) }
        lines += change.plan.steps.map { step in
            Line(step.action, of: step.part, in: step.place, because: step.reasons, cause: "\(cause)")
        }
        for remnant in change.remnants { lines.append(Line(.warning, "\(remnant)")) }
        lines += compare(
            change.ledger.refusalNotes + change.plan.notes + warnings, with: &notes, .warning,
            gone: { "no longer: \($0)" })
        lines += compare(
            change.plan.retiring.map(\.path), with: &retiring, .info,
            come: { "\($0) stays until its connections have ended" },
            gone: { "\($0) has ended" })
        lines += compare(
            change.plan.starting.map(\.name), with: &starting, .info, come: { "\($0) starts slowly" },
            gone: { "\($0) starts slowly no more" })
        if failure != nil {
            failure = nil
            lines.append(
                Line(.notice, "the kernel holds what it should again", ["failures": "\(failures)"]))
        }
        lines.append(
            Line(
                .debug, "pass",
                ["cause": "\(cause)", "steps": "\(change.plan.steps.count)", "ms": duration.inMilliseconds]))
        return lines
    }

    /// The lines for a pass that failed.
    package mutating func lines(
        for error: any Error, because cause: PassSchedule.Cause, failures: Int, next wait: Duration
    ) -> [Line] {
        let reason = "\(error)"
        let isKnown = failure == reason
        failure = reason
        return [
            Line(
                isKnown ? .debug : .error, reason,
                ["cause": "\(cause)", "failures": "\(failures)", "next_ms": wait.inMilliseconds])
        ]
    }

    private func compare(
        _ found: [String], with known: inout Set<String>, _ level: Logger.Level,
        come: (String) -> String = { $0 }, gone: (String) -> String
    ) -> [Line] {
        let now = Set(found)
        defer { known = now }
        return now.subtracting(known).sorted().map { Line(level, come($0)) }
            + known.subtracting(now).sorted().map { Line(.info, gone($0)) }
    }
}

extension PassSchedule.Cause: CustomStringConvertible {
    /// The cause in the words of the log.
    package var description: String {
        switch self {
        case .start: "start"
        case .documents: "documents"
        case .tasks: "tasks"
        case .kernel(let places): "kernel: " + places.sorted().map(\.description).joined(separator: ", ")
        case .period: "period"
        case .retiring: "retiring"
        case .slowStart: "slow-start"
        case .retry: "retry"
        }
    }
}

extension Duration {
    /// The whole milliseconds as text.
    var inMilliseconds: String { "\(Int((self / .milliseconds(1)).rounded()))" }
}

extension Logger {
    /// Logs lines with their levels and fields.
    package func log(_ lines: [PassDiary.Line]) {
        for line in lines {
            log(level: line.level, "\(line.message)", metadata: line.fields.mapValues { .string($0) })
        }
    }
}
