import CNetlink

/// A real server behind a virtual service.
///
/// The kernel's counterpart is `struct ip_vs_dest_user`, `IPVS_CMD_ATTR_DEST` on the wire.
public struct Destination: Sendable, Identifiable {
    /// What the kernel knows a destination by, within its service.
    public struct ID: Hashable, Sendable {
        /// Where packets are sent.
        public let address: IPAddress
        /// 0: the port that the client used.
        public let port: UInt16

        /// - Parameters:
        ///   - address: where packets are sent.
        ///   - port: 0 for the port that the client used.
        public init(_ address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// How a packet gets to the destination: `IP_VS_CONN_F_FWD_MASK`. Open: a number without a name here is kept.
    public struct ForwardingMethod: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt32

        /// A method by the kernel's number, of which it keeps the three lowest bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue & UInt32(IP_VS_CONN_F_FWD_MASK) }

        /// `IP_VS_CONN_F_MASQ`: address and port are rewritten, and back in the reply.
        public static let masquerade = Self(rawValue: UInt32(IP_VS_CONN_F_MASQ))
        /// `IP_VS_CONN_F_LOCALNODE`: delivered on this host.
        public static let local = Self(rawValue: UInt32(IP_VS_CONN_F_LOCALNODE))
        /// `IP_VS_CONN_F_TUNNEL`: wrapped, see ``Destination/tunnel``.
        public static let tunnel = Self(rawValue: UInt32(IP_VS_CONN_F_TUNNEL))
        /// `IP_VS_CONN_F_DROUTE`: sent on unchanged, by the link.
        public static let directRoute = Self(rawValue: UInt32(IP_VS_CONN_F_DROUTE))
        /// `IP_VS_CONN_F_BYPASS`: to the packet's own destination.
        public static let bypass = Self(rawValue: UInt32(IP_VS_CONN_F_BYPASS))
    }

    /// The wrapping of ``ForwardingMethod/tunnel``.
    public struct Tunnel: Hashable, Sendable {
        /// What packets are wrapped in: `IP_VS_CONN_F_TUNNEL_TYPE_…`. Open: a number without a name here is kept.
        public struct Kind: RawRepresentable, Hashable, Sendable {
            /// The kernel's number.
            public let rawValue: UInt8

            /// A kind by the kernel's number.
            public init(rawValue: UInt8) { self.rawValue = rawValue }

            /// `IP_VS_CONN_F_TUNNEL_TYPE_IPIP`: another IP header, and nothing between.
            public static let ipip = Self(rawValue: UInt8(IP_VS_CONN_F_TUNNEL_TYPE_IPIP))
            /// `IP_VS_CONN_F_TUNNEL_TYPE_GUE`: generic UDP encapsulation; takes a port.
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

            /// `IP_VS_TUNNEL_ENCAP_FLAG_CSUM`: with a checksum of GUE's UDP or of GRE.
            public static let checksum = Self(rawValue: UInt16(IP_VS_TUNNEL_ENCAP_FLAG_CSUM))
            /// `IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM`: GUE's remote checksum offload.
            public static let remoteChecksum = Self(rawValue: UInt16(IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM))
        }

        /// What packets are wrapped in: `IPVS_DEST_ATTR_TUN_TYPE`. An old kernel silently takes all for IPIP, see
        /// ``Features/tunnelTypes``.
        public var type: Kind
        /// The UDP port of GUE, which must not be 0 there: `IPVS_DEST_ATTR_TUN_PORT`.
        public var port: UInt16
        /// Checksums: `IPVS_DEST_ATTR_TUN_FLAGS`.
        public var flags: Flags

        /// IPIP without flags, unless said otherwise.
        ///
        /// - Parameters:
        ///   - type: what packets are wrapped in.
        ///   - port: the UDP port of GUE.
        ///   - flags: checksums.
        public init(type: Kind = .ipip, port: UInt16 = 0, flags: Flags = []) {
            self.type = type
            self.port = port
            self.flags = flags
        }
    }

    /// What the kernel knows it by.
    public let id: ID
    /// Its share of new connections; 0 takes none and keeps those it has. 2³¹−1 at most, or else the kernel answers
    /// ``IPVSError/Code/outOfRange``. `IPVS_DEST_ATTR_WEIGHT`.
    public var weight: UInt32
    /// How a packet gets there: `IPVS_DEST_ATTR_FWD_METHOD`.
    public var forwarding: ForwardingMethod
    /// No new connections from this number on; 0 for no limit. `IPVS_DEST_ATTR_U_THRESH`.
    public var upperThreshold: UInt32
    /// New connections again below this number; 0 for three quarters of the upper one, above which it must not be
    /// (``IPVSError/Code/outOfRange``). `IPVS_DEST_ATTR_L_THRESH`.
    public var lowerThreshold: UInt32
    /// The wrapping, where the method is ``ForwardingMethod/tunnel``. With any other it means nothing: it is neither
    /// written nor read nor compared.
    public var tunnel: Tunnel

    /// Masqueraded and of weight 1, unless said otherwise.
    ///
    /// - Parameters:
    ///   - address: where packets are sent. Of the family of the service, but for tunnels.
    ///   - port: 0 for the port that the client used.
    ///   - weight: its share of new connections, 0 to 2³¹−1.
    ///   - forwarding: how a packet gets there.
    ///   - upperThreshold: no new connections from this number on; 0 for no limit.
    ///   - lowerThreshold: new connections again below this number.
    ///   - tunnel: the wrapping, where `forwarding` is a tunnel.
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
    /// What tells it from others; a tunnel only where there is one.
    private var wrapping: Tunnel? { forwarding == .tunnel ? tunnel : nil }

    /// Whether the kernel could not tell them apart.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.id == rhs.id && lhs.weight == rhs.weight && lhs.forwarding == rhs.forwarding
            && lhs.upperThreshold == rhs.upperThreshold && lhs.lowerThreshold == rhs.lowerThreshold
            && lhs.wrapping == rhs.wrapping
    }

    /// Feeds all that is compared.
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
