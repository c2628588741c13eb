public import IPVSKit

/// A task that starts slowly.
public struct SlowStarter: Hashable, Sendable {
    /// The service of the task.
    public var service: String
    /// The task, as the spec knows it.
    public var task: IPAddress
    /// How many tenths of its share of new connections it has.
    public var tenths: UInt32
    /// When it has the next one.
    public var stepEnd: BootTime
    /// In how many seconds it starts slowly no more, rounded up.
    public var secondsLeft: UInt64
}

extension SlowStarter: CustomStringConvertible {
    /// `task 10.0.0.12 of service web`.
    var name: String { Self.name(of: task, in: service) }

    package static func name(of task: IPAddress, in service: String) -> String { "task \(task) of service \(service)" }

    /// `task 10.0.0.12 of service web starts slowly: 3 tenths of its share, all of it in 21 s`.
    public var description: String { Self.text(name, tenths: tenths, secondsLeft: secondsLeft) }

    /// - Parameter name: as ``name``.
    package static func text(_ name: String, tenths: UInt32, secondsLeft: UInt64) -> String {
        "\(name) starts slowly: \(tenths == 1 ? "1 tenth" : "\(tenths) tenths") of its share, all of it in "
            + "\(secondsLeft) s"
    }
}
