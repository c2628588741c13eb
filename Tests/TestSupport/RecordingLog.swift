package import Logging
package import Netlink

/// Keeps what is logged, one line for each event: its level, its message and, where the event has one, its reason.
package struct RecordingLog: LogHandler {
    private let lines: Locked<[String]>
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let reason = event.metadata?["because"].map { ": \($0)" } ?? ""
        lines.withLock { $0.append("\(event.level) \(event.message)\(reason)") }
    }

    /// A logger that appends to `lines` what is at least as severe as `level`.
    package static func logger(to lines: Locked<[String]>, from level: Logger.Level = .info) -> Logger {
        Logger(label: "test") { _ in RecordingLog(lines: lines, logLevel: level) }
    }
}
