import CConntrack
import IPVSKit

#if canImport(Glibc)
    import Glibc
#endif

extension Flow.Status {
    /// `IPS_EXPECTED`: another flow announced this one.
    public static let expected = Self(CConntrack_IPS_EXPECTED)
    /// `IPS_SEEN_REPLY`: packets have gone both ways.
    public static let seenReply = Self(CConntrack_IPS_SEEN_REPLY)
    /// `IPS_ASSURED`: the flow is not forgotten early when the table is full.
    public static let assured = Self(CConntrack_IPS_ASSURED)
    /// `IPS_CONFIRMED`: the first packet was let through.
    public static let confirmed = Self(CConntrack_IPS_CONFIRMED)
    /// `IPS_SRC_NAT`: the source is translated.
    public static let sourceNAT = Self(CConntrack_IPS_SRC_NAT)
    /// `IPS_DST_NAT`: the destination is translated.
    public static let destinationNAT = Self(CConntrack_IPS_DST_NAT)
    /// `IPS_DYING`: the flow is being removed.
    public static let dying = Self(CConntrack_IPS_DYING)
    /// `IPS_OFFLOAD`: a flowtable carries the packets past the rules.
    public static let offloaded = Self(CConntrack_IPS_OFFLOAD)

    private init(_ bits: Int) { self.init(rawValue: UInt32(bits)) }
}

extension Flow {
    init(_ entry: CConntrackEntry) {
        self.init(
            protocol: TransportProtocol(rawValue: UInt16(entry.protocol)),
            original: Tuple(entry.original, entry.family), reply: Tuple(entry.reply, entry.family),
            mark: entry.mark, status: Status(rawValue: entry.status), expiresInSeconds: entry.timeout)
    }
}

extension Flow.Tuple {
    init(_ tuple: CConntrackTuple, _ family: UInt8) {
        self.init(
            source: Flow.Endpoint(IPAddress(tuple.source, family), port: tuple.source_port),
            destination: Flow.Endpoint(IPAddress(tuple.destination, family), port: tuple.destination_port))
    }
}

extension IPAddress {
    init(_ address: CConntrackAddress, _ family: UInt8) {
        if Int32(family) == AF_INET {
            self.init(ipv4: UInt32(truncatingIfNeeded: address.low))
        } else {
            self.init(ipv6: UInt128(address.high) << 64 | UInt128(address.low))
        }
    }
}

extension CConntrackAddress {
    init(_ address: IPAddress) {
        switch address.storage {
        case .ipv4(let number): self.init(high: 0, low: UInt64(number))
        case .ipv6(let number): self.init(high: UInt64(number >> 64), low: UInt64(truncatingIfNeeded: number))
        }
    }
}
