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
