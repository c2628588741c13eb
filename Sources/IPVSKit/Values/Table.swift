/// The virtual services of a namespace and their destinations, as one value.
///
/// ```swift
/// var table = Table()
/// let web = VirtualService.ID.firewallMark(0x102, .ipv4)
/// table[web] = .init(VirtualService(id: web), destinations: [Destination("10.255.0.6", port: 80)])
/// ```
public struct Table: Hashable, Sendable {
    /// One service of a table, with its destinations.
    public struct Entry: Hashable, Sendable {
        /// The service.
        public var service: VirtualService
        /// The destinations of the service, by id.
        public private(set) var destinations: [Destination.ID: Destination]

        /// If two destinations have the same id, the later one counts.
        public init(_ service: VirtualService, destinations: some Sequence<Destination> = EmptyCollection()) {
            self.init(service, [:])
            self.destinations.reserveCapacity(destinations.underestimatedCount)
            for destination in destinations { self.destinations[destination.id] = destination }
        }

        /// - Parameter destinations: by their ids.
        init(_ service: VirtualService, _ destinations: [Destination.ID: Destination]) {
            self.service = service
            self.destinations = destinations
        }

        /// A destination; setting nil removes it.
        public subscript(id: Destination.ID) -> Destination? {
            get { destinations[id] }
            set {
                precondition(newValue == nil || newValue?.id == id, "a destination stands under its own id")
                destinations[id] = newValue
            }
        }
    }

    /// The services, by id.
    public private(set) var entries: [VirtualService.ID: Entry]

    /// An empty table.
    public init() { entries = [:] }

    /// If two entries have the same id, the later one counts.
    public init(_ entries: some Sequence<Entry>) {
        self.init()
        self.entries.reserveCapacity(entries.underestimatedCount)
        for entry in entries { self.entries[entry.service.id] = entry }
    }

    /// The table of the kernel, without counters.
    public init(_ status: some Sequence<VirtualServiceStatus>) {
        self.init(status.map { Entry($0.service, destinations: $0.destinations.map(\.destination)) })
    }

    /// The entry of a service; setting nil removes it.
    public subscript(id: VirtualService.ID) -> Entry? {
        get { entries[id] }
        set {
            precondition(newValue == nil || newValue?.service.id == id, "an entry stands under its own id")
            entries[id] = newValue
        }
    }

    /// The services for which `isIncluded` is true.
    public func filter(_ isIncluded: (VirtualService.ID) -> Bool) -> Table {
        var result = Table()
        result.entries = entries.filter { isIncluded($0.key) }
        return result
    }
}
