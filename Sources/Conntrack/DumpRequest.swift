import CConntrack
import IPVSKit

/// A request for one dump of the table.
///
/// The kernel leaves out flows that no filter matches, as far as it can. It may return more than is wanted, so its
/// answer is filtered again.
struct DumpRequest: Hashable, Sendable {
    var family: AddressFamily
    var `protocol`: UInt8
    var originalDestination: IPAddress?
    var originalDestinationPort: UInt16?
    var replySource: IPAddress?
    var replySourcePort: UInt16?

    /// The dumps that together contain all flows which the filters match: one for each family and protocol that the
    /// filters name, however many filters there are. The kernel filters by protocol only together with a family.
    static func covering(_ filters: some Collection<FlowFilter>) -> [DumpRequest] {
        var groups: [Group: [FlowFilter]] = [:]
        for filter in filters {
            // A number that does not fit into a byte is no protocol that a packet could have.
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

        /// The address to filter by, for IPv4 only. Linux compares IPv6 addresses the wrong way round here
        /// (`ctnetlink_filter_match_tuple`), from 5.8 to 6.1 at least: it returns all flows except those with the
        /// address. Some 6.12 kernels are repaired.
        func address(_ address: IPAddress?) -> IPAddress? { family == .ipv4 ? address : nil }
    }

    /// The value that all filters ask for; nil if they differ.
    private static func common<Value: Equatable>(_ filters: [FlowFilter], _ field: (FlowFilter) -> Value?) -> Value? {
        guard let first = filters.first.flatMap(field), filters.allSatisfy({ field($0) == first }) else { return nil }
        return first
    }
}

extension FlowFilter {
    /// The single port to filter by. The kernel cannot compare with a range, so ranges are filtered here.
    fileprivate var originalDestinationPort: UInt16? {
        originalDestinationPorts.flatMap { $0.count == 1 ? $0.lowerBound : nil }
    }
}

extension DumpRequest {
    /// Writes the message, `IPCTNL_MSG_CT_GET` with `CTA_FILTER`, and returns its length.
    ///
    /// - Parameter filters: false asks for all flows of the family, as a kernel before 5.8 returns them in any case.
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
            // The kernel accepts a port only together with a protocol.
            reply |= CConntrack_FILTER_SOURCE_PORT | CConntrack_FILTER_PROTOCOL
        }
        return CConntrack_build_dump(buffer, sequence, &pattern, UInt32(original), UInt32(reply))
    }
}
