import CNetlink

/// A real server behind a virtual service.
///
/// The kernel's counterpart is `struct ip_vs_dest_user`, `IPVS_CMD_ATTR_DEST` on the wire.
public struct Destination: Sendable, Identifiable {
    /// The key by which the kernel finds a destination within its service.
    public struct ID: Hashable, Sendable {
        /// The address to which packets are sent.
        public let address: IPAddress
        /// The port; 0 for the port that the client used.
        public let port: UInt16

        /// - Parameters:
        ///   - address: the address to which packets are sent.
        ///   - port: 0 for the port that the client used.
        public init(_ address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// How a packet gets to the destination: `IP_VS_CONN_F_FWD_MASK`. A number that this library does not know is kept.
    public struct ForwardingMethod: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt32

        /// A method by the kernel's number. Only its three lowest bits count.
        public init(rawValue: UInt32) { self.rawValue = rawValue & UInt32(IP_VS_CONN_F_FWD_MASK) }

        /// `IP_VS_CONN_F_MASQ`: the destination address and port are rewritten, and rewritten back in the reply.
        public static let masquerade = Self(rawValue: UInt32(IP_VS_CONN_F_MASQ))
        /// `IP_VS_CONN_F_LOCALNODE`: the packet is delivered on this host.
        public static let local = Self(rawValue: UInt32(IP_VS_CONN_F_LOCALNODE))
        /// `IP_VS_CONN_F_TUNNEL`: the packet is encapsulated, see ``Destination/tunnel``.
        public static let tunnel = Self(rawValue: UInt32(IP_VS_CONN_F_TUNNEL))
        /// `IP_VS_CONN_F_DROUTE`: the packet is sent to the destination's link-layer address, otherwise unchanged.
        public static let directRoute = Self(rawValue: UInt32(IP_VS_CONN_F_DROUTE))
        /// `IP_VS_CONN_F_BYPASS`: the packet is sent to its own destination address.
        public static let bypass = Self(rawValue: UInt32(IP_VS_CONN_F_BYPASS))
    }

    /// The encapsulation of ``ForwardingMethod/tunnel``.
    public struct Tunnel: Hashable, Sendable {
        /// The protocol of the encapsulation: `IP_VS_CONN_F_TUNNEL_TYPE_…`. A number that this library does not know is
        /// kept.
        public struct Kind: RawRepresentable, Hashable, Sendable {
            /// The kernel's number.
            public let rawValue: UInt8

            /// A kind by the kernel's number.
            public init(rawValue: UInt8) { self.rawValue = rawValue }

            /// `IP_VS_CONN_F_TUNNEL_TYPE_IPIP`: a second IP header, and nothing else.
            public static let ipip = Self(rawValue: UInt8(IP_VS_CONN_F_TUNNEL_TYPE_IPIP))
            /// `IP_VS_CONN_F_TUNNEL_TYPE_GUE`: generic UDP encapsulation, which needs a port.
            public static let gue = Self(rawValue: UInt8(IP_VS_CONN_F_TUNNEL_TYPE_GUE))
            /// `IP_VS_CONN_F_TUNNEL_TYPE_GRE`: generic routing encapsulation.
            public static let gre = Self(rawValue: UInt8(IP_VS_CONN_F_TUNNEL_TYPE_GRE))
        }

        /// `IP_VS_TUNNEL_ENCAP_FLAG_…`. Unknown flags are kept.
        public struct Flags: OptionSet, Hashable, Sendable {
            /// The kernel's bits.
            public let rawValue: UInt16

            /// Flags from the kernel's bits.
            public init(rawValue: UInt16) { self.rawValue = rawValue }

            /// `IP_VS_TUNNEL_ENCAP_FLAG_CSUM`: a checksum in the UDP header of GUE, or in the GRE header.
            public static let checksum = Self(rawValue: UInt16(IP_VS_TUNNEL_ENCAP_FLAG_CSUM))
            /// `IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM`: GUE's remote checksum offload.
            public static let remoteChecksum = Self(rawValue: UInt16(IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM))
        }

        /// The protocol of the encapsulation: `IPVS_DEST_ATTR_TUN_TYPE`. A kernel before 5.3 ignores it and uses IPIP,
        /// see ``Features/tunnelTypes``.
        public var type: Kind
        /// The UDP port of GUE: `IPVS_DEST_ATTR_TUN_PORT`. For GUE it must not be 0, for other types it must be 0.
        public var port: UInt16
        /// Checksums: `IPVS_DEST_ATTR_TUN_FLAGS`.
        public var flags: Flags

        /// By default IPIP without flags.
        ///
        /// - Parameters:
        ///   - type: the protocol of the encapsulation.
        ///   - port: the UDP port of GUE.
        ///   - flags: checksums.
        public init(type: Kind = .ipip, port: UInt16 = 0, flags: Flags = []) {
            self.type = type
            self.port = port
            self.flags = flags
        }
    }

    /// The key by which the kernel finds the destination.
    public let id: ID
    /// The destination's share of new connections: `IPVS_DEST_ATTR_WEIGHT`. With 0 it gets no new connections and keeps
    /// those it has. For more than 2³¹−1 the kernel answers ``IPVSError/Code/outOfRange``.
    public var weight: UInt32
    /// How a packet gets to the destination: `IPVS_DEST_ATTR_FWD_METHOD`.
    public var forwarding: ForwardingMethod
    /// The number of connections from which on the destination gets no new ones; 0 for no limit.
    /// `IPVS_DEST_ATTR_U_THRESH`.
    public var upperThreshold: UInt32
    /// The number of connections below which the destination gets new ones again; 0 for three quarters of the upper
    /// threshold. If it is above the upper threshold, the kernel answers ``IPVSError/Code/outOfRange``.
    /// `IPVS_DEST_ATTR_L_THRESH`.
    public var lowerThreshold: UInt32
    /// The encapsulation of ``ForwardingMethod/tunnel``. With any other method it is ignored: it is neither written nor
    /// read nor compared.
    public var tunnel: Tunnel

    /// By default masqueraded and of weight 1.
    ///
    /// - Parameters:
    ///   - address: the address to which packets are sent. It must be of the family of the service, except for tunnels.
    ///   - port: 0 for the port that the client used.
    ///   - weight: the destination's share of new connections, 0 to 2³¹−1.
    ///   - forwarding: how a packet gets to the destination.
    ///   - upperThreshold: the number of connections from which on the destination gets no new ones; 0 for no limit.
    ///   - lowerThreshold: the number of connections below which the destination gets new ones again.
    ///   - tunnel: the encapsulation, if `forwarding` is a tunnel.
    public init(
        _ address: IPAddress, port: UInt16, weight: UInt32 = 1, forwarding: ForwardingMethod = .masquerade,
        upperThreshold: UInt32 = 0, lowerThreshold: UInt32 = 0, tunnel: Tunnel = Tunnel()
    ) {
        id = ID(address, port: port)
        self.weight = weight
        self.forwarding = forwarding
        self.upperThreshold = upperThreshold
        self.lowerThreshold = lowerThreshold
        self.tunnel = tunnel
    }
}

extension Destination: Hashable {
    /// The tunnel if the method is a tunnel: with other methods it does not count in comparisons.
    private var wrapping: Tunnel? { forwarding == .tunnel ? tunnel : nil }

    /// Whether the kernel would treat both alike.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.id == rhs.id && lhs.weight == rhs.weight && lhs.forwarding == rhs.forwarding
            && lhs.upperThreshold == rhs.upperThreshold && lhs.lowerThreshold == rhs.lowerThreshold
            && lhs.wrapping == rhs.wrapping
    }

    /// Hashes the properties that are compared.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(weight)
        hasher.combine(forwarding)
        hasher.combine(upperThreshold)
        hasher.combine(lowerThreshold)
        hasher.combine(wrapping)
    }
}

extension Destination.ID: CustomStringConvertible, Comparable {
    /// `10.0.0.1:80` or `[fd00::1]:80`.
    public var description: String {
        switch address.family {
        case .ipv4: "\(address):\(port)"
        case .ipv6: "[\(address)]:\(port)"
        }
    }

    /// By address, then port.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.address, lhs.port) < (rhs.address, rhs.port) }
}

extension Destination.ForwardingMethod: CustomStringConvertible {
    /// As ipvsadm prints it: `Masq`, `Local`, `Tunnel`, `Route`, `Bypass`, or the number.
    public var description: String {
        switch self {
        case .masquerade: "Masq"
        case .local: "Local"
        case .tunnel: "Tunnel"
        case .directRoute: "Route"
        case .bypass: "Bypass"
        default: String(rawValue)
        }
    }
}
