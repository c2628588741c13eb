/// An attribute of a service or a destination that this version of the library does not know: a newer kernel's, kept as
/// it came. ``IPVS/modify(_:_:)`` and its like write it back.
///
/// Those of counters, timeouts, sync daemons and what IPVS says of itself are not kept.
public struct UnknownAttribute: Hashable, Sendable {
    /// The kernel's number, without the bits for nesting and byte order.
    public var type: UInt16
    /// The payload.
    public var bytes: [UInt8]

    /// An attribute as a kernel could send it, for tests of what reads one.
    public init(type: UInt16, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}
