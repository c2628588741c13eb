public import IPVSKit

/// A hardware address: six bytes, most significant first, as in packets.
public struct HardwareAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The bytes.
    public var bytes: [UInt8]

    /// By the bytes.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }

    /// An address from its bytes.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// An address derived from an IPv4 address. It is locally administered, so no network card has it.
    public init(derivedFrom address: IPAddress) { bytes = [2, 0] + address.bytes.suffix(4) }

    /// The address of an interface of an overlay network, by its IP address there: `02:42:`, and the last four bytes.
    public init(onOverlay address: IPAddress) { bytes = [0x02, 0x42] + address.bytes.suffix(4) }

    /// The IPv6 link-local address that the kernel derives from the hardware address (modified EUI-64).
    var linkLocalAddress: IPAddress? {
        guard bytes.count == 6 else { return nil }
        return IPAddress(
            bytes: [0xFE, 0x80, 0, 0, 0, 0, 0, 0, bytes[0] ^ 2] + bytes[1...2] + [0xFF, 0xFE] + bytes[3...5])
    }

    /// `02:00:a9:fe:71:01`.
    public var description: String {
        bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: ":")
    }
}
