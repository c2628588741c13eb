import CConntrack
import Netlink
import SystemPackage

/// Access to the kernel's table of flows in one namespace. libnetfilter_conntrack builds and reads the entries, and the
/// client of module Netlink carries them.
struct FlowClient: Sendable {
    let client: NetlinkClient
    /// The deadline of the call that uses this client.
    let end: ContinuousClock.Instant

    private var rest: Duration { end - ContinuousClock.now }

    /// The entries that match any of the filters, as received and as values, and the costs of finding them.
    ///
    /// The kernel's answer is filtered again: an old kernel does not filter, and no kernel can compare with a range of
    /// ports.
    func entries(
        matching filters: [FlowFilter], filtersInKernel: Bool
    ) async throws(NetlinkError) -> (found: [(entry: CConntrackEntry, flow: Flow)], figures: ConntrackFigures) {
        let requests = DumpRequest.covering(filters)
        let messages = Messages(requests.count) { range, writer in
            for request in requests[range] {
                writer.message(upTo: Int(CConntrack_MESSAGE_SIZE)) { bytes, sequence in
                    request.build(into: bytes, sequence: sequence, filters: filtersInKernel)
                }
            }
        }
        let lists = try await client.lists(messages, deadline: rest) { index, message in
            Self.entry(message, of: requests[index], filters)
        }
        let figures = ConntrackFigures(dumps: requests.count, received: lists.reduce(0) { $0 + $1.count })
        return (lists.joined().compactMap(\.self), figures)
    }

    /// The entry in a message, or nil inside if no filter matches it. Nil outside if the message is no readable entry.
    private static func entry(
        _ message: NetlinkMessage, of request: DumpRequest, _ filters: [FlowFilter]
    ) -> (entry: CConntrackEntry, flow: Flow)?? {
        var reply = CConntrackReply()
        let bytes = message.whole
        guard CConntrack_read(bytes.baseAddress!, bytes.count, &reply) > 0, reply.kind == CConntrackReplyEntry else {
            return nil
        }
        let flow = Flow(reply.entry)
        // Without filters in the kernel, a dump of the family also contains flows of other protocols, which belong to
        // other dumps.
        guard reply.entry.protocol == request.protocol, filters.contains(where: { $0.matches(flow) }) else {
            return .some(nil)
        }
        return (reply.entry, flow)
    }

    /// Whether the kernel looks for an entry in a zone.
    func hasZones() async throws(NetlinkError) -> Bool {
        // No packet has these ports.
        var entry = CConntrackEntry()
        entry.family = 2
        entry.protocol = 17
        entry.zone = 1
        let wanted = entry
        let messages = Messages(1) { _, writer in
            writer.message(upTo: Int(CConntrack_MESSAGE_SIZE)) { bytes, sequence in
                var entry = wanted
                return CConntrack_build_get(bytes, sequence, &entry)
            }
        }
        let outcome = try await client.send(messages, deadline: rest)
        if let interruption = outcome.interruption { throw .interrupted(interruption) }
        guard let refusal = outcome.failures.first, refusal.errno != .noSuchFileOrDirectory else { return true }
        if refusal.errno == .notSupportedOnSocket { return false }
        throw .refused(refusal.errno, message: refusal.message)
    }

    /// Deletes the entries, many in one call of the kernel, and returns the number of deleted ones. An entry that has
    /// ended by itself meanwhile is no failure, and is not counted. A refusal stops nothing: the first one is thrown
    /// after the last entry.
    func delete(_ entries: [CConntrackEntry]) async throws(NetlinkError) -> Int {
        guard !entries.isEmpty else { return 0 }
        let messages = Messages(entries.count) { range, writer in
            for var entry in entries[range] {
                writer.message(upTo: Int(CConntrack_MESSAGE_SIZE)) { bytes, sequence in
                    CConntrack_build_delete(bytes, sequence, &entry)
                }
            }
        }
        let outcome = try await client.send(messages, deadline: rest)
        if let interruption = outcome.interruption { throw .interrupted(interruption) }
        if let refusal = outcome.failures.first(where: { $0.errno != .noSuchFileOrDirectory }) {
            throw .refused(refusal.errno, message: refusal.message)
        }
        return outcome.count - outcome.failures.count
    }
}

/// The costs of a call in the kernel.
package struct ConntrackFigures: Hashable, Sendable {
    package var dumps = 0
    /// The number of entries that the kernel returned in the dumps.
    package var received = 0
}
