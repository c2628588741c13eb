/// What became of a destination that was to be drained: see ``IPVS/drain(_:of:within:every:)``.
public enum DrainResult: Hashable, Sendable {
    /// It had no connection left that can move data, and was removed.
    case removed
    /// The time was over before. So many connections are left that may still move data; the destination stays, with
    /// weight 0.
    case connectionsLeft(Int)

    /// Whether the destination is gone.
    public var isRemoved: Bool { self == .removed }
}
