/// A service as the kernel has it, and nothing of its destinations: the answer to `IPVS_CMD_GET_SERVICE`. With them it is
/// a ``VirtualServiceStatus``.
public struct VirtualServiceSummary: Hashable, Sendable, Identifiable {
    /// What was asked for.
    public var service: VirtualService
    /// What it has done, and does per second.
    public var statistics: Statistics
    /// What the kernel sent of it and this library has no name for, but for counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the service.
    public var id: VirtualService.ID { service.id }

    /// A service as a kernel could have it, for tests of what reads one.
    public init(service: VirtualService, statistics: Statistics = Statistics()) {
        self.service = service
        self.statistics = statistics
    }
}
