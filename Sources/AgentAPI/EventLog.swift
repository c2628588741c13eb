public import Logging

/// Makes events of log lines.
public struct EventLog: LogHandler {
    /// The lowest level of events.
    public var logLevel: Logger.Level
    /// The fields of all events.
    public var metadata: Logger.Metadata = [:]
    /// What adds fields to events.
    public var metadataProvider: Logger.MetadataProvider?
    private let hub: EventHub
    private let time: @Sendable () -> String

    /// - Parameters:
    ///   - hub: gets the events.
    ///   - level: the lowest level of events.
    ///   - time: the present as text.
    public init(to hub: EventHub, level: Logger.Level, time: @escaping @Sendable () -> String) {
        self.hub = hub
        logLevel = level
        self.time = time
    }

    /// A field of all events.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Posts the event.
    public func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        hub.post(
            AgentEvent(
                time: time(), level: "\(event.level)", message: "\(event.message)",
                fields: fields.mapValues { "\($0)" }))
    }
}
