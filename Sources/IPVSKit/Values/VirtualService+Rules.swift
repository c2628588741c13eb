extension VirtualService.ID {
    /// The reason for which no packet would ever match such a service; nil without one.
    var objection: String? { Rules.objection(to: self, Self.rules) }

    private static let rules: [Rule<Self>] = [
        { id in
            guard case .address(_, _, let transport) = id, !TransportProtocol.balanced.contains(transport) else {
                return nil
            }
            return "IPVS balances TCP, UDP and SCTP, and would never use a service for protocol \(transport)"
        },
        { id in
            guard case .address(let address, _, _) = id else { return nil }
            if address.isIPv4Mapped {
                return "\(address) is an IPv4 address in the form of IPv6, which no packet carries: use the IPv4 form"
            }
            if address.isUnspecified { return "\(address) is the unspecified address, and no packet is sent to it" }
            if address.isMulticast || address == "255.255.255.255" {
                return "\(address) is the address of many hosts, and IPVS ignores packets to it"
            }
            return nil
        },
    ]
}

extension VirtualService {
    /// - Parameter found: the service as the kernel has it; nil if that is unknown.
    func objection(replacing found: Self? = nil) -> String? {
        Rules.objection(to: self, replacing: found, Self.rules)
    }

    private static let rules: [Rule<Self>] = [
        { Rules.objection(toName: $0.scheduler.rawValue, "the scheduler's name", limit: Scheduler.nameLimit) },
        { service in
            service.persistenceEngine.flatMap {
                Rules.objection(toName: $0, "the persistence engine's name", limit: 16)
            }
        },
        { service in
            guard case .address(_, port: 0, _) = service.id, service.persistence == nil else { return nil }
            return "a service of port 0, which is all ports, takes connections only if it is persistent"
        },
        { service in
            guard service.flags.contains(.onePacket), case .address(_, _, let transport) = service.id,
                transport != .udp
            else { return nil }
            return "one-packet scheduling is for UDP: the connections of other protocols are kept all the same"
        },
        { service in
            guard !service.flags.isDisjoint(with: Scheduler.hashFlags), !service.scheduler.takesHashFlags else {
                return nil
            }
            return "the scheduler \(service.scheduler) ignores hashFallback and hashPort; only sh and mh use them"
        },
        { service in
            guard let engine = service.persistenceEngine, service.persistence == nil else { return nil }
            return "the persistence engine \(engine) finds persistent clients, and the service is not persistent"
        },
        { service in
            guard service.persistenceEngine == "sip", case .address(_, _, let transport) = service.id,
                transport != .udp
            else { return nil }
            return "the persistence engine sip reads UDP alone: every connection of another protocol is dropped"
        },
        { $0.persistence?.timeoutObjection },
        { service in service.persistence?.netmaskObjection(service.id.family) },
    ]
}

extension VirtualService.Persistence {
    /// The kernel counts ticks in 32 bits, and its clock ticks 1000 times a second at most.
    private static let longestTimeoutSeconds = UInt32.max / 1000

    fileprivate var timeoutObjection: String? {
        if timeoutSeconds == 0 {
            return "a persistence of 0 s remembers no client beyond its connections: set a timeout, or no persistence"
        }
        guard timeoutSeconds > Self.longestTimeoutSeconds else { return nil }
        return "a client is remembered for \(Self.longestTimeoutSeconds) seconds at most: the kernel's ticks may wrap"
    }

    fileprivate func netmaskObjection(_ family: AddressFamily) -> String? {
        guard let netmask, netmask.number(family) == nil else { return nil }
        return family == .ipv4
            ? "the netmask of IPv4 is a mask, or the length of a prefix, 0 to 32"
            : "the netmask of IPv6 is the length of a prefix, 1 to 128"
    }
}

extension Scheduler {
    /// `IP_VS_SCHEDNAME_MAXLEN` less the NUL.
    static let nameLimit = 15

    fileprivate static let hashFlags: VirtualService.Flags = [.hashFallback, .hashPort]

    /// Whether the scheduler uses the hash flags. A scheduler that this library does not know may use them.
    fileprivate var takesHashFlags: Bool {
        self == .sourceHashing || self == .maglevHashing || !(self == "none" || Self.known.contains(self))
    }
}
