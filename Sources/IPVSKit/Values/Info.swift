/// What IPVS says of itself: the answer to `IPVS_CMD_GET_INFO`.
public struct Info: Hashable, Sendable {
    /// A version of IPVS.
    public struct Version: Hashable, Sendable, CustomStringConvertible {
        /// The kernel's number: 0x010201 is 1.2.1.
        public var rawValue: UInt32
        /// `1.2.1`.
        public var description: String { "\(rawValue >> 16).\(rawValue >> 8 & 0xFF).\(rawValue & 0xFF)" }
    }

    /// 1.2.1 since 2008, whatever the kernel can do: no use for telling what it has.
    public var version: Version
    /// Buckets of the connection table. 0 in kernels that make the table when they need it, until then.
    public var connectionTableSize: UInt32
}
