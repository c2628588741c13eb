public import IPVSKit

/// A TCP address at which metrics are asked for: `127.0.0.1:9809`, `[::1]:9809`.
public struct MetricsAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address of the node.
    public var address: IPAddress
    /// The port; 0 for one that the kernel chooses.
    public var port: UInt16

    /// An address by its parts.
    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Nil if the text is no address with a port. An IPv6 address stands in brackets.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        guard let address = IPAddress(String(isBracketed ? host.dropFirst().dropLast() : host)) else { return nil }
        guard isBracketed == (address.family == .ipv6) else { return nil }
        self.init(address, port: port)
    }

    /// The address as it is written.
    public var description: String { address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
