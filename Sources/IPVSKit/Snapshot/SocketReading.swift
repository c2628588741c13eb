import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A table as the older interface returns it: the bytes of the kernel's structures, without their counters.
///
/// Most readings are only compared with another, by their bytes; only one of them is converted to values.
struct SocketReading: Sendable {
    /// The `struct ip_vs_service_entry` of each service, up to the counters.
    private var serviceBytes: [UInt8] = []
    /// The `struct ip_vs_dest_entry` of each destination, up to the counters, service by service. A destination that
    /// the kernel counted and did not return is zeros: it is of another family, or was removed meanwhile.
    private var destinationBytes: [UInt8] = []

    private static let serviceSize = CNetlink_IPVS_SERVICE_BEFORE_COUNTERS
    private static let destinationSize = CNetlink_IPVS_DEST_BEFORE_COUNTERS

    /// Appends the services of a `struct ip_vs_get_services`.
    mutating func take(services reply: UnsafeRawBufferPointer) {
        let scheduler = MemoryLayout<ip_vs_service_entry>.offset(of: \.sched_name)!
        Self.forEachEntry(
            in: reply, from: CNetlink_IPVS_SERVICES_OFFSET, stride: MemoryLayout<ip_vs_service_entry>.stride
        ) { entry in
            // Every service has a scheduler's name, at least "none"; behind the last entry that the kernel wrote, all
            // bytes are zero.
            if entry[scheduler] != 0 { serviceBytes.append(contentsOf: entry.prefix(Self.serviceSize)) }
        }
    }

    /// Reserves room for a number of destinations in total.
    mutating func reserveDestinations(_ count: Int) { destinationBytes.reserveCapacity(count * Self.destinationSize) }

    /// Appends the destinations of a `struct ip_vs_get_dests`, which has room for exactly the expected number.
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

    /// Array's own `==` compares byte by byte, which is slower.
    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && memcmp(left, right, left.count) == 0
    }
}

// MARK: Values

extension SocketReading {
    /// The services as the kernel wrote them, with counters of zero.
    var services: [ip_vs_service_entry] {
        serviceBytes.withUnsafeBytes { bytes in
            (0..<bytes.count / Self.serviceSize).map {
                Self.load(ip_vs_service_entry(), from: bytes, at: $0 * Self.serviceSize, size: Self.serviceSize)
            }
        }
    }

    /// A service with its destinations, without those that this interface cannot describe completely.
    typealias Value = (entry: Table.Entry, isWhole: Bool)

    func values() -> [Value] {
        var first = 0
        return services.map { service in
            defer { first += Int(service.num_dests) }
            let destinations = destinations(from: first, count: Int(service.num_dests))
            return (Table.Entry(VirtualService(service), destinations ?? [:]), destinations != nil)
        }
    }

    /// A number of destinations from an index on; nil if one of them is missing or cannot be described completely.
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

    /// A structure from its first bytes; the others are zero.
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
    /// Nil for a destination that is missing, and for a tunnel, because the entry does not contain its type.
    fileprivate init?(_ entry: ip_vs_dest_entry) {
        let forwarding = ForwardingMethod(rawValue: entry.conn_flags & UInt32(IP_VS_CONN_F_FWD_MASK))
        // The address 0 marks a missing destination: no real one has it.
        guard entry.addr != 0, forwarding != .tunnel else { return nil }
        self.init(
            IPAddress(ipv4: UInt32(bigEndian: entry.addr)), port: UInt16(bigEndian: entry.port),
            weight: UInt32(bitPattern: entry.weight), forwarding: forwarding, upperThreshold: entry.u_threshold,
            lowerThreshold: entry.l_threshold)
    }
}
