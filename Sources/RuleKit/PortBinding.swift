public import IPVSKit

/// Where the node answers a published port: one port or a range of ports of a transport protocol, at every local
/// address or at one. `1080/tcp`, `192.168.5.1:1000-1010/udp`.
public struct PortBinding: Hashable, Sendable, Codable {
    /// The protocol.
    public let transport: TransportProtocol
    /// The ports, without port 0.
    public let ports: ClosedRange<UInt16>
    /// The local address; nil for all local addresses of both families.
    public let address: IPAddress?

    /// - Precondition: `ports` does not hold 0.
    public init(_ ports: ClosedRange<UInt16>, _ transport: TransportProtocol, at address: IPAddress? = nil) {
        precondition(ports.lowerBound != 0, "port 0 is no port")
        self.ports = ports
        self.transport = transport
        self.address = address
    }

    /// A single port.
    ///
    /// - Precondition: `port` is not 0.
    public init(_ port: UInt16, _ transport: TransportProtocol, at address: IPAddress? = nil) {
        self.init(port...port, transport, at: address)
    }

    /// Whether the binding has more than one port.
    public var isRange: Bool { ports.count > 1 }

    /// Whether both bindings would match the same packet.
    public func overlaps(_ other: PortBinding) -> Bool {
        transport == other.transport && ports.overlaps(other.ports)
            && (address == nil || other.address == nil || address == other.address)
    }

    /// The ports as they are written: `1080` or `1000-1010`.
    public static func text(of ports: ClosedRange<UInt16>) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }
}

extension PortBinding: CustomStringConvertible, Comparable {
    /// `1080/tcp`, `1000-1010/udp`, `192.168.5.1:1080/tcp`, `[fd00::1]:1080/tcp`.
    public var description: String {
        let host: String =
            switch address?.family {
            case nil: ""
            case .ipv4: "\(address!):"
            case .ipv6: "[\(address!)]:"
            }
        return "\(host)\(Self.text(of: ports))/\(transport)"
    }

    /// By port, then protocol, then address.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.ports != rhs.ports {
            return (lhs.ports.lowerBound, lhs.ports.upperBound) < (rhs.ports.lowerBound, rhs.ports.upperBound)
        }
        if lhs.transport != rhs.transport { return lhs.transport < rhs.transport }
        switch (lhs.address, rhs.address) {
        case (nil, let right): return right != nil
        case (_, nil): return false
        case (let left?, let right?): return left < right
        }
    }
}
