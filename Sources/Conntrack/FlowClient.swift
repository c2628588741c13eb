import CConntrack
import Netlink
import SystemPackage

/// The kernel's table of flows in one namespace: its entries as libnetfilter_conntrack builds and reads them, over the
/// engine's client.
struct FlowClient: Sendable {
    let client: NetlinkClient
    /// When the call that this is for ends.
    let end: ContinuousClock.Instant

    private var rest: Duration { end - ContinuousClock.now }

    /// What matches any of the filters, as it came and as a value, and how many entries the kernel gave.
    ///
    /// What the kernel filtered is filtered again: it may be an old one, and it cannot tell ports in a range.
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

    /// Nil where the message is no entry that can be read; nil within where the entry is none that is wanted.
    private static func entry(
        _ message: NetlinkMessage, of request: DumpRequest, _ filters: [FlowFilter]
    ) -> (entry: CConntrackEntry, flow: Flow)?? {
        var reply = CConntrackReply()
        let bytes = message.whole
        guard CConntrack_read(bytes.baseAddress!, bytes.count, &reply) > 0, reply.kind == CConntrackReplyEntry else {
            return nil
        }
        let flow = Flow(reply.entry)
        // Not filtered, a dump of the family has flows of other protocols, which another dump is for.
        guard reply.entry.protocol == request.protocol, filters.contains(where: { $0.matches(flow) }) else {
            return .some(nil)
        }
        return (reply.entry, flow)
    }

    /// Deletes the entries, many in one message to the kernel, and gives how many it deleted. One that went by itself
    /// meanwhile is no failure, and not counted. What is refused stops nothing: the first refusal is thrown after the
    /// last entry.
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

/// What a call took of the kernel.
package struct ConntrackFigures: Hashable, Sendable {
    package var dumps = 0
    /// Entries that the kernel gave in the dumps.
    package var received = 0
}
