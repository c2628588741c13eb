/// An attribute of a service or a destination that this version of the library does not know: a newer kernel's, kept as
/// it came. ``IPVS/modify(_:_:)`` and its like write it back.
///
/// Those of counters, timeouts, sync daemons and what IPVS says of itself are not kept.
public struct UnknownAttribute: Hashable, Sendable {
    /// The kernel's number, without the bits for nesting and byte order.
    public var type: UInt16
    /// The payload.
    public var bytes: [UInt8]

    /// An attribute as a kernel could send it, for tests of what reads one.
    public init(type: UInt16, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}

/// A service as the kernel has it, with its destinations: the answers to `IPVS_CMD_GET_SERVICE` and `IPVS_CMD_GET_DEST`.
public struct VirtualServiceStatus: Hashable, Sendable, Identifiable {
    /// What was asked for.
    public var service: VirtualService
    /// What it has done, and does per second.
    public var statistics: Statistics
    /// Its destinations, in the kernel's order, newest first.
    public var destinations: [DestinationStatus] = []
    /// What the kernel sent of it and this library has no name for, but for counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the service.
    public var id: VirtualService.ID { service.id }

    /// A service as a kernel could have it, for tests of what reads one.
    public init(
        service: VirtualService, statistics: Statistics = Statistics(), destinations: [DestinationStatus] = []
    ) {
        self.service = service
        self.statistics = statistics
        self.destinations = destinations
    }

    /// A service and its destinations, which are asked for one by one.
    public init(_ summary: VirtualServiceSummary, destinations: [DestinationStatus]) {
        self.init(service: summary.service, statistics: summary.statistics, destinations: destinations)
        unknownAttributes = summary.unknownAttributes
    }

    /// What there is but the destinations.
    public var summary: VirtualServiceSummary {
        var summary = VirtualServiceSummary(service: service, statistics: statistics)
        summary.unknownAttributes = unknownAttributes
        return summary
    }
}

/// A destination as the kernel has it: the answer to `IPVS_CMD_GET_DEST`.
public struct DestinationStatus: Hashable, Sendable, Identifiable {
    /// What was asked for.
    public var destination: Destination
    /// What it has done, and does per second.
    public var statistics: Statistics
    /// Connections that count as active: of TCP those that are being opened (SYN_SENT, SYN_RECV, SYNACK) and those that
    /// are established, of SCTP the established, of UDP none. Clients that never complete their connection count, too,
    /// until the kernel forgets them. `IPVS_DEST_ATTR_ACTIVE_CONNS`.
    public var activeConnections: UInt32 = 0
    /// All others: those that are closed and remembered, half-closed ones that still receive, and all of UDP's. So 0
    /// active is not drained, and more than 0 inactive may be: see ``IPVS/drain(_:of:within:every:)``.
    /// `IPVS_DEST_ATTR_INACT_CONNS`.
    public var inactiveConnections: UInt32 = 0
    /// Clients remembered for persistence: `IPVS_DEST_ATTR_PERSIST_CONNS`.
    public var persistentConnections: UInt32 = 0
    /// What the kernel sent of it and this library has no name for, but for counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the destination.
    public var id: Destination.ID { destination.id }

    /// A destination as a kernel could have it, for tests of what reads one.
    public init(destination: Destination, statistics: Statistics = Statistics()) {
        self.destination = destination
        self.statistics = statistics
    }
}
