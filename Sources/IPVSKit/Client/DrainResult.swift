/// The result of draining a destination: see ``IPVS/drain(_:of:within:every:)``.
public enum DrainResult: Hashable, Sendable {
    /// No connection was left that can still carry data, and the destination was removed.
    case removed
    /// The time ran out. This many connections are left that may still carry data; the destination stays, with weight
    /// 0.
    case connectionsLeft(Int)

    /// Whether the destination is gone.
    public var isRemoved: Bool { self == .removed }
}
