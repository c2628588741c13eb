/// A service as the kernel has it, with its destinations: the answers to `IPVS_CMD_GET_SERVICE` and `IPVS_CMD_GET_DEST`.
public struct VirtualServiceStatus: Hashable, Sendable, Identifiable {
    /// The service itself.
    public var service: VirtualService
    /// The counters and rates of the service.
    public var statistics: Statistics
    /// The destinations, in the kernel's order: the newest first.
    public var destinations: [DestinationStatus] = []
    /// Attributes of the service that this library does not know, without those of counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the service.
    public var id: VirtualService.ID { service.id }

    /// Makes a service as a kernel could have it, for tests of code that reads services.
    public init(
        service: VirtualService, statistics: Statistics = Statistics(), destinations: [DestinationStatus] = []
    ) {
        self.service = service
        self.statistics = statistics
        self.destinations = destinations
    }

    /// Combines a service with its destinations, which the kernel sends in answer to another request.
    public init(_ summary: VirtualServiceSummary, destinations: [DestinationStatus]) {
        self.init(service: summary.service, statistics: summary.statistics, destinations: destinations)
        unknownAttributes = summary.unknownAttributes
    }

    /// The service without its destinations.
    public var summary: VirtualServiceSummary {
        var summary = VirtualServiceSummary(service: service, statistics: statistics)
        summary.unknownAttributes = unknownAttributes
        return summary
    }
}
