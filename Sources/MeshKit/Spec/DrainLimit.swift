/// How long the open connections of a port go on when their task or their port leaves, or gets another path.
///
/// The time begins when the connections' destination stops taking new connections.
public enum DrainLimit: Hashable, Sendable {
    /// Until the last connection has ended.
    case unlimited
    /// For that many seconds at most; with 0, connections end at once.
    case seconds(UInt32)

    /// The text of a limit: `5m`, `off`, `unlimited`.
    package var text: String {
        switch self {
        case .unlimited: "unlimited"
        case .seconds(let seconds): DurationText.text(of: seconds)
        }
    }

    /// Reads a text.
    package init(_ text: String) throws(InputError) {
        if text == "unlimited" {
            self = .unlimited
        } else {
            do {
                self = .seconds(try DurationText.seconds(text))
            } catch {
                throw InputError("\(error.description), or unlimited")
            }
        }
    }

    /// The number of seconds; nil for no limit.
    public var seconds: UInt32? { if case .seconds(let seconds) = self { seconds } else { nil } }

    /// - Parameter seconds: nil for no limit.
    public init(seconds: UInt32?) { self = seconds.map(Self.seconds) ?? .unlimited }

    /// When a drain that began at a moment is over; nil if it has no limit.
    func end(from since: BootTime) -> BootTime? { seconds.map { since.advanced(bySeconds: UInt64($0)) } }
}
