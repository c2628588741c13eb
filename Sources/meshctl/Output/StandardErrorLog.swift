import Logging

#if canImport(Glibc)
    import Glibc
#endif

/// Writes log messages to standard error, a line each, escaped as all other messages are.
struct StandardErrorLog: LogHandler {
    /// How a line begins.
    enum Style: Sendable {
        /// With the name of the command and the level, among the command's other messages.
        case command
        /// With the time and the level.
        case time
        /// With the level as the journal reads it; the journal adds the time.
        case journal
    }

    var logLevel: Logger.Level
    var style = Style.command
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = metadata.merging(event.metadata ?? [:]) { $1 }
        let text = LogLine.text("\(event.message)", values.mapValues { "\($0)" })
        StandardError.write(beginning(event.level) + text)
    }

    private func beginning(_ level: Logger.Level) -> String {
        switch style {
        case .command: "meshctl: \(level): "
        case .time: "\(UTCTime.now()) \(level) "
        case .journal: "<\(level.priority)>"
        }
    }
}

extension StandardErrorLog.Style {
    /// The style of a service: the journal's if standard error leads to the journal, as `JOURNAL_STREAM` says, which is
    /// the device and the inode of its socket.
    static func ofService(journal: String?) -> Self {
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return .time }
        return journal == "\(status.st_dev):\(status.st_ino)" ? .journal : .time
    }
}

extension Logger.Level {
    /// The priority of syslog.
    fileprivate var priority: Int {
        switch self {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
