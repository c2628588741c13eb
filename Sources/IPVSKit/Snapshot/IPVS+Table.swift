import CNetlink
import Netlink
import SystemPackage

extension IPVS {
    /// The whole table as one value: every service and destination, without counters.
    ///
    /// Consistent: the kernel lets a table change while it is read, and does not say so. So it is read until two
    /// readings in a row are alike, which a table that rests is at once. What is changed and changed back between the two
    /// goes unseen: the kernel numbers no changes.
    ///
    /// The fastest way there is to a whole table: IPv4 services and their destinations are read by the older interface
    /// (`getsockopt`), and by netlink only what that does not tell. For counters see ``status()``.
    ///
    /// - Parameter attempts: how many times the table is read at most; two or more.
    /// - Throws: ``IPVSError/Code/inconsistent`` where it changed each time, and what ``services()`` does.
    public func table(attempts: Int = 20) async throws(IPVSError) -> Table {
        precondition(attempts >= 2, "it takes two readings to compare")
        // By the two interfaces in turns. What two readings by one of them say alike held from the first of them to the
        // second, and so during the reading by the other that lies between. Where that one finds nothing but what the
        // older interface tells, it need not be repeated: there is just the absence of persistence engines in it.
        var reading = try await socketReading()
        var values = reading?.values()
        var isRepeated = false
        var lastRemainder: Remainder?
        for _ in 0..<attempts {
            let remainder = try await remainder(besides: values)
            if isRepeated, remainder == lastRemainder { return remainder.completing(values ?? []) }
            let next = try await socketReading()
            isRepeated = next == reading
            if isRepeated, let values, remainder.isEmpty { return remainder.completing(values) }
            if !isRepeated { (reading, values) = (next, next?.values()) }
            lastRemainder = remainder
        }
        throw report(
            IPVSError(
                .inconsistent, operation: "read the table",
                hint: "it changed during each of \(attempts) readings; try again, or read status()"))
    }

    /// By the older interface; nil where it fails, for whichever reason, since netlink has the word then.
    private func socketReading() async throws(IPVSError) -> SocketReading? {
        guard try namespace("read the table") != nil else { return nil }
        do throws(IPVSError) {
            let result = try await inNamespace("read the table") {
                Result { () throws(Errno) in try SocketOptions().reading() }
            }
            return try? result.get()
        } catch {
            if [.deadlineExceeded, .cancelled, .closed].contains(error.code) { throw error }
            return nil
        }
    }
}

// MARK: By netlink

extension IPVS {
    /// What the older interface does not tell.
    private struct Remainder: Equatable {
        /// Services: those of IPv6, or all where there is no older interface.
        var services: [VirtualService] = []
        /// The persistence engines of the others.
        var engines: [VirtualService.ID: String] = [:]
        /// Destinations, of the services above and of others.
        var destinations: [VirtualService.ID: [Destination]] = [:]

        var isEmpty: Bool { services.isEmpty && engines.isEmpty && destinations.isEmpty }

        func completing(_ values: [SocketReading.Value]) -> Table {
            var entries = values.map(\.entry)
            for index in entries.indices {
                let id = entries[index].service.id
                if !engines.isEmpty { entries[index].service.persistenceEngine = engines[id] }
                if !values[index].isWhole { entries[index] = entry(entries[index].service) }
            }
            return Table(entries + services.map(entry))
        }

        private func entry(_ service: VirtualService) -> Table.Entry {
            Table.Entry(service, destinations: destinations[service.id] ?? [])
        }
    }

    /// - Parameter known: what the older interface tells; nil where it tells nothing.
    private func remainder(besides known: [SocketReading.Value]?) async throws(IPVSError) -> Remainder {
        let operation = "list services"
        let listed = Gathered<VirtualServiceSummary>()
        try await dump(operation, Messages { $0.writeServiceDump() }) { _ in
            listed.restart()
        } handler: { _, message in
            if known == nil || !message.isOfWhatSocketOptionsTell { listed.take(VirtualServiceSummary(message)) }
        }
        var remainder = Remainder()
        for status in try whole(listed, operation) {
            if known != nil, status.id.family == .ipv4 {
                remainder.engines[status.id] = status.service.persistenceEngine
            } else {
                remainder.services.append(status.service)
            }
        }
        let ids = remainder.services.map(\.id) + (known ?? []).filter { !$0.isWhole }.map(\.entry.service.id)
        for (id, list) in zip(ids, try await destinations(of: ids)) {
            remainder.destinations[id] = list.map(\.destination)
        }
        return remainder
    }
}

extension NetlinkMessage {
    /// Whether it is of an IPv4 service without a persistence engine.
    fileprivate var isOfWhatSocketOptionsTell: Bool {
        guard var attributes = attributes.first(IPVS_CMD_ATTR_SERVICE)?.nested else { return false }
        var isIPv4 = false
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_SVC_ATTR_AF: isIPv4 = attribute.uint16 == AddressFamily.ipv4.rawValue
            case IPVS_SVC_ATTR_PE_NAME: return false
            default: break
            }
        }
        return isIPv4 && !attributes.isTruncated
    }
}
