import CNetlink

/// What clients connect to: an address and port, or a firewall mark, and how connections are spread from there.
///
/// The kernel's counterpart is `struct ip_vs_service_user`, `IPVS_CMD_ATTR_SERVICE` on the wire.
public struct VirtualService: Hashable, Sendable, Identifiable {
    /// What the kernel knows a service by. Two services may differ in the family alone.
    public enum ID: Hashable, Sendable {
        /// Packets of a family that carry a mark. The mark is the key: no address, port or protocol.
        case firewallMark(FirewallMark, AddressFamily)
        /// Packets to an address and port. Port 0: to all ports of the address that have no service of their own; the
        /// kernel takes new connections there only where the service is persistent.
        case address(IPAddress, port: UInt16, protocol: TransportProtocol)

        /// The family of the clients' addresses.
        public var family: AddressFamily {
            switch self {
            case .firewallMark(_, let family): family
            case .address(let address, _, _): address.family
            }
        }

        /// The mark, where the service has one.
        public var firewallMark: FirewallMark? {
            if case .firewallMark(let mark, _) = self { mark } else { nil }
        }
    }

    /// Sends a client back to the destination it had.
    public struct Persistence: Hashable, Sendable {
        /// How long after its last connection a client is remembered, in whole seconds: `IPVS_SVC_ATTR_TIMEOUT`. The kernel
        /// counts in ticks, in 32 bits, and does not look whether they wrap. So ``IPVS/perform(_:)`` refuses more than
        /// 4294967, 49 days, which is where they do if its clock ticks 1000 times a second, the most that it can.
        public var timeoutSeconds: UInt32
        /// Clients that are equal under the mask count as one. Nil: each address by itself, as under a mask of the whole
        /// address. `IPVS_SVC_ATTR_NETMASK`.
        public var netmask: Netmask?

        /// - Parameters:
        ///   - timeoutSeconds: how long a client is remembered; ipvsadm's default is 360.
        ///   - netmask: see ``netmask``.
        public init(timeoutSeconds: UInt32 = 300, netmask: Netmask? = nil) {
            self.timeoutSeconds = timeoutSeconds
            self.netmask = netmask
        }

        /// In the words that the kernel's answer is read in: a mask of the whole address is none.
        fileprivate func normalized(_ family: AddressFamily) -> Self {
            guard netmask?.number(family) == Netmask.whole(family) else { return self }
            return Self(timeoutSeconds: timeoutSeconds)
        }
    }

    /// `IP_VS_SVC_F_…`, but for persistence, which is ``VirtualService/persistence``, and "hashed", which is the
    /// kernel's own. Unknown flags are kept.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32

        /// Flags from the kernel's bits, of which those two are left out.
        public init(rawValue: UInt32) { self.rawValue = rawValue & ~Self.withheld }

        /// `IP_VS_SVC_F_ONEPACKET`: every UDP datagram is scheduled anew.
        public static let onePacket = Self(rawValue: UInt32(IP_VS_SVC_F_ONEPACKET))
        /// `IP_VS_SVC_F_SCHED_SH_FALLBACK`, `…_MH_FALLBACK`: sh and mh choose another destination where the
        /// hashed one has weight 0, instead of refusing the client.
        public static let hashFallback = Self(rawValue: UInt32(IP_VS_SVC_F_SCHED1))
        /// `IP_VS_SVC_F_SCHED_SH_PORT`, `…_MH_PORT`: sh and mh hash the source port too.
        public static let hashPort = Self(rawValue: UInt32(IP_VS_SVC_F_SCHED2))

        /// The kernel's bit for ``VirtualService/persistence``.
        static let persistent = UInt32(IP_VS_SVC_F_PERSISTENT)
        /// What a service as the kernel has it says elsewhere or not at all.
        private static let withheld = persistent | UInt32(IP_VS_SVC_F_HASHED)
    }

    /// What the kernel knows it by.
    public let id: ID
    /// How a destination is chosen: `IPVS_SVC_ATTR_SCHED_NAME`.
    public var scheduler: Scheduler
    /// Flags of the service and its scheduler: `IPVS_SVC_ATTR_FLAGS`.
    public var flags: Flags
    /// Nil: every connection is scheduled by itself. `IP_VS_SVC_F_PERSISTENT`.
    public var persistence: Persistence? {
        didSet { persistence = persistence?.normalized(id.family) }
    }
    /// The module (`ip_vs_pe_NAME`) that finds a persistent client in the payload: `sip`. Nil: by address. 16 bytes at
    /// most. `IPVS_SVC_ATTR_PE_NAME`.
    public var persistenceEngine: String?

    /// - Parameters:
    ///   - id: what the kernel knows it by.
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
