public import IPVSKit

/// An address with the length of the prefix that its network shares: `169.254.113.1/30`.
public struct InterfacePrefix: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address.
    public var address: IPAddress
    /// The number of leading bits that all addresses of the network share.
    public var length: Int
    /// Whether the kernel never chooses the address as a source (an IPv6 address of no preferred lifetime).
    public var isDeprecated: Bool

    /// An address of an interface.
    public init(_ address: IPAddress, length: Int, isDeprecated: Bool = false) {
        self.address = address
        self.length = length
        self.isDeprecated = isDeprecated
    }

    /// By address.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.address, lhs.length) < (rhs.address, rhs.length) }
    /// `169.254.113.1/30`.
    public var description: String { "\(address)/\(length)" + (isDeprecated ? " deprecated" : "") }
}
