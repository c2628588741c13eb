/// The version of IPVS and the size of its connection table: the answer to `IPVS_CMD_GET_INFO`.
public struct Info: Hashable, Sendable {
    /// A version of IPVS.
    public struct Version: Hashable, Sendable, CustomStringConvertible {
        /// The kernel's number: 0x010201 is 1.2.1.
        public var rawValue: UInt32
        /// `1.2.1`.
        public var description: String { "\(rawValue >> 16).\(rawValue >> 8 & 0xFF).\(rawValue & 0xFF)" }
    }

    /// The version, which has been 1.2.1 since 2008. It does not show which features the kernel has; see
    /// ``IPVS/features()``.
    public var version: Version
    /// The number of buckets of the connection table. Kernels that create the table on demand report 0 until then.
    public var connectionTableSize: UInt32
}
