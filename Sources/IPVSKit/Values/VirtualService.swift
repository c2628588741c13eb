import CNetlink

/// A virtual service: the address and port, or the firewall mark, that clients connect to, and how connections are
/// distributed.
///
/// The kernel's counterpart is `struct ip_vs_service_user`, `IPVS_CMD_ATTR_SERVICE` on the wire.
public struct VirtualService: Hashable, Sendable, Identifiable {
    /// The key by which the kernel finds a service. Two services may differ in the family only.
    public enum ID: Hashable, Sendable {
        /// All packets of a family that carry a mark, whatever their address, port and protocol.
        case firewallMark(FirewallMark, AddressFamily)
        /// Packets to an address and port. Port 0 stands for all ports of the address that have no service of their
        /// own; the kernel then accepts new connections only if the service is persistent.
        case address(IPAddress, port: UInt16, protocol: TransportProtocol)

        /// The family of the clients' addresses.
        public var family: AddressFamily {
            switch self {
            case .firewallMark(_, let family): family
            case .address(let address, _, _): address.family
            }
        }

        /// The mark; nil if the service has an address.
        public var firewallMark: FirewallMark? {
            if case .firewallMark(let mark, _) = self { mark } else { nil }
        }
    }

    /// Sends a client back to the destination it had.
    public struct Persistence: Hashable, Sendable {
        /// How many seconds after its last connection a client is remembered: `IPVS_SVC_ATTR_TIMEOUT`. The kernel
        /// counts ticks in 32 bits without checking for overflow. So ``IPVS/perform(_:)`` refuses more than 4294967
        /// seconds (49 days), which is the limit if the kernel's clock ticks 1000 times a second, the highest rate.
        public var timeoutSeconds: UInt32
        /// Clients whose addresses are equal under the mask count as one client: `IPVS_SVC_ATTR_NETMASK`. Nil compares
        /// whole addresses.
        public var netmask: Netmask?

        /// - Parameters:
        ///   - timeoutSeconds: how long a client is remembered; ipvsadm's default is 360.
        ///   - netmask: see ``netmask``.
        public init(timeoutSeconds: UInt32 = 300, netmask: Netmask? = nil) {
            self.timeoutSeconds = timeoutSeconds
            self.netmask = netmask
        }

        /// The form in which the kernel's answer is read: a mask of the whole address becomes nil.
        fileprivate func normalized(_ family: AddressFamily) -> Self {
            guard netmask?.number(family) == Netmask.whole(family) else { return self }
            return Self(timeoutSeconds: timeoutSeconds)
        }
    }

    /// The flags `IP_VS_SVC_F_…`, without the one for persistence, which is ``VirtualService/persistence``, and
    /// "hashed", which is internal to the kernel. Unknown flags are kept.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32

        /// Flags from the kernel's bits, without the two for persistence and "hashed".
        public init(rawValue: UInt32) { self.rawValue = rawValue & ~Self.withheld }

        /// `IP_VS_SVC_F_ONEPACKET`: every UDP datagram is scheduled by itself.
        public static let onePacket = Self(rawValue: UInt32(IP_VS_SVC_F_ONEPACKET))
        /// `IP_VS_SVC_F_SCHED_SH_FALLBACK`, `…_MH_FALLBACK`: if the hashed destination has weight 0, sh and mh choose
        /// another one instead of refusing the client.
        public static let hashFallback = Self(rawValue: UInt32(IP_VS_SVC_F_SCHED1))
        /// `IP_VS_SVC_F_SCHED_SH_PORT`, `…_MH_PORT`: sh and mh hash the source port too.
        public static let hashPort = Self(rawValue: UInt32(IP_VS_SVC_F_SCHED2))

        /// The kernel's bit for ``VirtualService/persistence``.
        static let persistent = UInt32(IP_VS_SVC_F_PERSISTENT)
        /// The bits that are not flags here: ``VirtualService/persistence`` has the one, and nothing has the other.
        private static let withheld = persistent | UInt32(IP_VS_SVC_F_HASHED)
    }

    /// The key by which the kernel finds the service.
    public let id: ID
    /// How a destination is chosen: `IPVS_SVC_ATTR_SCHED_NAME`.
    public var scheduler: Scheduler
    /// Flags of the service and its scheduler: `IPVS_SVC_ATTR_FLAGS`.
    public var flags: Flags
    /// Sends clients back to their destination; nil to schedule every connection by itself. `IP_VS_SVC_F_PERSISTENT`.
    public var persistence: Persistence? {
        didSet { persistence = persistence?.normalized(id.family) }
    }
    /// The module (`ip_vs_pe_NAME`) that recognises a persistent client by the payload, such as `sip`; nil to recognise
    /// it by its address. The name has 16 bytes at most. `IPVS_SVC_ATTR_PE_NAME`.
    public var persistenceEngine: String?

    /// - Parameters:
    ///   - id: the key by which the kernel finds the service.
    ///   - scheduler: how a destination is chosen.
    ///   - flags: flags of the service and its scheduler.
    ///   - persistence: nil to schedule every connection by itself.
    ///   - persistenceEngine: `sip`, or nil.
    public init(
        id: ID, scheduler: Scheduler = .roundRobin, flags: Flags = [], persistence: Persistence? = nil,
        persistenceEngine: String? = nil
    ) {
        self.id = id
        self.scheduler = scheduler
        self.flags = flags
        self.persistence = persistence?.normalized(id.family)
        self.persistenceEngine = persistenceEngine
    }
}

extension VirtualService.ID: CustomStringConvertible, Comparable {
    /// As ipvsadm prints it: `TCP 10.0.0.1:80`, `TCP [fd00::1]:80`, `FWM 258`, `FWM 258 IPv6`.
    public var description: String {
        switch self {
        case .firewallMark(let mark, .ipv4): "FWM \(mark.rawValue)"
        case .firewallMark(let mark, .ipv6): "FWM \(mark.rawValue) IPv6"
        case .address(let address, let port, let transport):
            "\(transport.description.uppercased()) \(Destination.ID(address, port: port))"
        }
    }

    /// Addresses before marks, as the kernel lists them; then by number.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        switch (lhs, rhs) {
        case (.address(let a, let p, let t), .address(let b, let q, let u)): (a, p, t) < (b, q, u)
        case (.firewallMark(let a, let f), .firewallMark(let b, let g)): (a, f) < (b, g)
        case (.address, .firewallMark): true
        case (.firewallMark, .address): false
        }
    }
}
