import CConntrack
import IPVSKit

/// One dump of the table: what the kernel is asked for.
///
/// It leaves out what it can tell that no filter wants, and may give more than is wanted: what it gives is filtered
/// again.
struct DumpRequest: Hashable, Sendable {
    var family: AddressFamily
    var `protocol`: UInt8
    var originalDestination: IPAddress?
    var originalDestinationPort: UInt16?
    var replySource: IPAddress?
    var replySourcePort: UInt16?

    /// The dumps in which everything is that the filters match: one for each family and protocol that they name,
    /// however many filters there are. The kernel filters by protocol only together with a family.
    static func covering(_ filters: some Collection<FlowFilter>) -> [DumpRequest] {
        var groups: [Group: [FlowFilter]] = [:]
        for filter in filters {
            // A number past a byte is no protocol that a packet could have.
            guard let number = UInt8(exactly: filter.protocol.rawValue) else { continue }
            for family in filter.families {
                groups[Group(family: family, protocol: number), default: []].append(filter)
            }
        }
        return groups.map { group, filters in
            DumpRequest(
                family: group.family, protocol: group.protocol,
                originalDestination: group.address(common(filters, \.originalDestination)),
                originalDestinationPort: common(filters, \.originalDestinationPort),
                replySource: group.address(common(filters, \.replySource)),
                replySourcePort: common(filters, \.replySourcePort))
        }.sorted { ($0.protocol, $0.family) < ($1.protocol, $1.family) }
    }

    private struct Group: Hashable {
        var family: AddressFamily
        var `protocol`: UInt8

        /// IPv4 only. Linux compares IPv6 addresses the wrong way round here (`ctnetlink_filter_match_tuple`), from
        /// 5.8 to 6.1 at least: it gives all but those that are equal. Some 6.12 is mended.
        func address(_ address: IPAddress?) -> IPAddress? { family == .ipv4 ? address : nil }
    }

    /// What all of the filters ask for; nil where they differ.
    private static func common<Value: Equatable>(_ filters: [FlowFilter], _ field: (FlowFilter) -> Value?) -> Value? {
        guard let first = filters.first.flatMap(field), filters.allSatisfy({ field($0) == first }) else { return nil }
        return first
    }
}

extension FlowFilter {
    /// The kernel compares with one port; a range is left to us.
    fileprivate var originalDestinationPort: UInt16? {
        originalDestinationPorts.flatMap { $0.count == 1 ? $0.lowerBound : nil }
    }
}

extension DumpRequest {
    /// Writes the message, `IPCTNL_MSG_CT_GET` with `CTA_FILTER`, and gives its length.
    ///
    /// - Parameter filters: false asks for all of the family, which is what a kernel before 5.8 gives.
    func build(into buffer: UnsafeMutableRawPointer, sequence: UInt32, filters: Bool = true) -> Int {
        var pattern = CConntrackEntry()
        pattern.family = UInt8(family.rawValue)
        pattern.protocol = `protocol`
        guard filters else { return CConntrack_build_dump(buffer, sequence, &pattern, 0, 0) }

        var original = CConntrack_FILTER_PROTOCOL
        var reply = 0
        if let originalDestination {
            pattern.original.destination = CConntrackAddress(originalDestination)
            original |= CConntrack_FILTER_DESTINATION
        }
        if let originalDestinationPort {
            pattern.original.destination_port = originalDestinationPort
            original |= CConntrack_FILTER_DESTINATION_PORT
        }
        if let replySource {
            pattern.reply.source = CConntrackAddress(replySource)
            reply |= CConntrack_FILTER_SOURCE
        }
        if let replySourcePort {
            pattern.reply.source_port = replySourcePort
            // The kernel takes a port only beside a protocol.
            reply |= CConntrack_FILTER_SOURCE_PORT | CConntrack_FILTER_PROTOCOL
        }
        return CConntrack_build_dump(buffer, sequence, &pattern, UInt32(original), UInt32(reply))
    }
}
