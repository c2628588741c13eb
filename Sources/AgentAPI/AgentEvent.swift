/// A line of the agent's log as programs read it.
public struct AgentEvent: Codable, Equatable, Sendable {
    /// When it was logged, in UTC: `2026-11-29T16:55:03.120Z`.
    public var time: String
    /// The level: `debug`, `info`, `notice`, `warning`, `error`.
    public var level: String
    /// What was done, or what is wrong.
    public var message: String
    /// The fields of the line, by name.
    public var fields: [String: String]

    /// An event by its parts.
    public init(time: String, level: String, message: String, fields: [String: String] = [:]) {
        self.time = time
        self.level = level
        self.message = message
        self.fields = fields
    }

    /// What a reader gets in place of events that it did not read in time.
    static func loss(of count: Int, at time: String) -> Self {
        Self(
            time: time, level: "warning", message: "events were lost because they were not read in time",
            fields: ["lost": "\(count)"])
    }
}
