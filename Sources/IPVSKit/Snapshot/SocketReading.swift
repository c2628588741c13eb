import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A table as the older interface tells it: the kernel's structures as they came, but for their counters.
///
/// Most readings are there to be compared with another, which takes a look at the bytes; one of them is made values of.
struct SocketReading: Sendable {
    /// Of each service its `struct ip_vs_service_entry`, up to the counters.
    private var serviceBytes: [UInt8] = []
    /// Of each destination its `struct ip_vs_dest_entry`, up to the counters: those of the first service, then those of
    /// the next. Zeros for one that the kernel counted and did not tell: it is of another family, or was removed
    /// meanwhile.
    private var destinationBytes: [UInt8] = []

    private static let serviceSize = CNetlink_IPVS_SERVICE_BEFORE_COUNTERS
    private static let destinationSize = CNetlink_IPVS_DEST_BEFORE_COUNTERS

    /// Appends the services of a `struct ip_vs_get_services`.
    mutating func take(services reply: UnsafeRawBufferPointer) {
        let scheduler = MemoryLayout<ip_vs_service_entry>.offset(of: \.sched_name)!
        Self.forEachEntry(
            in: reply, from: CNetlink_IPVS_SERVICES_OFFSET, stride: MemoryLayout<ip_vs_service_entry>.stride
        ) { entry in
            // Every service has a scheduler's name, if only "none"; behind the last that was written all is zero.
            if entry[scheduler] != 0 { serviceBytes.append(contentsOf: entry.prefix(Self.serviceSize)) }
        }
    }

    /// Makes room for so many destinations in all.
    mutating func reserveDestinations(_ count: Int) { destinationBytes.reserveCapacity(count * Self.destinationSize) }

    /// Appends the destinations of a `struct ip_vs_get_dests`, which has room for just as many as there should be.
    mutating func take(destinations reply: UnsafeRawBufferPointer) {
        Self.forEachEntry(
            in: reply, from: CNetlink_IPVS_DESTS_OFFSET, stride: MemoryLayout<ip_vs_dest_entry>.stride
        ) { entry in
            destinationBytes.append(contentsOf: entry.prefix(Self.destinationSize))
        }
    }

    private static func forEachEntry(
        in reply: UnsafeRawBufferPointer, from offset: Int, stride: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var start = offset
        while start + stride <= reply.count {
            body(UnsafeRawBufferPointer(rebasing: reply[start..<start + stride]))
            start += stride
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func prefix(_ count: Int) -> UnsafeRawBufferPointer { .init(rebasing: self[..<count]) }
}

extension SocketReading: Equatable {
    static func == (lhs: Self, rhs: Self) -> Bool {
        areEqual(lhs.serviceBytes, rhs.serviceBytes) && areEqual(lhs.destinationBytes, rhs.destinationBytes)
    }

    /// An array's own `==` looks at one byte after the other.
    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && memcmp(left, right, left.count) == 0
    }
}

// MARK: Values

extension SocketReading {
    /// The services as the kernel wrote them, their counters zero.
    var services: [ip_vs_service_entry] {
        serviceBytes.withUnsafeBytes { bytes in
            (0..<bytes.count / Self.serviceSize).map {
                Self.load(ip_vs_service_entry(), from: bytes, at: $0 * Self.serviceSize, size: Self.serviceSize)
            }
        }
    }

    /// A service with its destinations, of which some may be missing: those that this interface cannot tell all about.
    typealias Value = (entry: Table.Entry, isWhole: Bool)

    func values() -> [Value] {
        var first = 0
        return services.map { service in
            defer { first += Int(service.num_dests) }
            let destinations = destinations(from: first, count: Int(service.num_dests))
            return (Table.Entry(VirtualService(service), destinations ?? [:]), destinations != nil)
        }
    }

    /// So many destinations from one on; nil where not all of them are there, or where one is not told all about.
    func destinations(from first: Int, count: Int) -> [Destination.ID: Destination]? {
        destinationBytes.withUnsafeBytes { bytes in
            guard count <= bytes.count / Self.destinationSize - first else { return nil }
            var destinations = [Destination.ID: Destination](minimumCapacity: count)
            for index in first..<first + count {
                let entry = Self.load(
                    ip_vs_dest_entry(), from: bytes, at: index * Self.destinationSize, size: Self.destinationSize)
                guard let destination = Destination(entry) else { return nil }
                destinations[destination.id] = destination
            }
            return destinations
        }
    }

    /// A structure of which the bytes are but the beginning.
    @inline(__always) private static func load<Entry: BitwiseCopyable>(
        _ empty: Entry, from bytes: UnsafeRawBufferPointer, at offset: Int, size: Int
    ) -> Entry {
        var entry = empty
        withUnsafeMutableBytes(of: &entry) {
            $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size]))
        }
        return entry
    }
}

extension VirtualService.ID {
    init(_ entry: ip_vs_service_entry) {
        if let mark = FirewallMark(rawValue: entry.fwmark) {
            self = .firewallMark(mark, .ipv4)
        } else {
            self = .address(
                IPAddress(ipv4: UInt32(bigEndian: entry.addr)), port: UInt16(bigEndian: entry.port),
                protocol: TransportProtocol(rawValue: entry.protocol))
        }
    }
}

extension VirtualService {
    fileprivate init(_ entry: ip_vs_service_entry) {
        let scheduler = withUnsafeBytes(of: entry.sched_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(
            id: ID(entry), scheduler: Scheduler(rawValue: scheduler), kernelFlags: entry.flags,
            timeout: entry.timeout, netmask: UInt32(bigEndian: entry.netmask))
    }
}

extension Destination {
    /// Nil for one that is not there, and for a tunnel, of which the entry does not say the kind.
    fileprivate init?(_ entry: ip_vs_dest_entry) {
        let forwarding = ForwardingMethod(rawValue: entry.conn_flags & UInt32(IP_VS_CONN_F_FWD_MASK))
        // No destination has the address 0.
        guard entry.addr != 0, forwarding != .tunnel else { return nil }
        self.init(
            IPAddress(ipv4: UInt32(bigEndian: entry.addr)), port: UInt16(bigEndian: entry.port),
            weight: UInt32(bitPattern: entry.weight), forwarding: forwarding, upperThreshold: entry.u_threshold,
            lowerThreshold: entry.l_threshold)
    }
}
