/// A service as the kernel has it, without its destinations: the answer to `IPVS_CMD_GET_SERVICE`. A
/// ``VirtualServiceStatus`` has the destinations, too.
public struct VirtualServiceSummary: Hashable, Sendable, Identifiable {
    /// The service itself.
    public var service: VirtualService
    /// The counters and rates of the service.
    public var statistics: Statistics
    /// Attributes of the service that this library does not know, without those of counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the service.
    public var id: VirtualService.ID { service.id }

    /// Makes a service as a kernel could have it, for tests of code that reads services.
    public init(service: VirtualService, statistics: Statistics = Statistics()) {
        self.service = service
        self.statistics = statistics
    }
}
