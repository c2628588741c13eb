/// An attribute of a service or a destination that this version of the library does not know, because the kernel is
/// newer. ``IPVS/modify(_:_:)`` and its like write it back unchanged.
///
/// Unknown attributes of counters, timeouts, sync daemons and ``Info`` are not kept.
public struct UnknownAttribute: Hashable, Sendable {
    /// The kernel's number, without the bits for nesting and byte order.
    public var type: UInt16
    /// The payload.
    public var bytes: [UInt8]

    /// Makes an attribute as a kernel could send it, for tests of code that reads attributes.
    public init(type: UInt16, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}
