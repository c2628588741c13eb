import CNetlink
import Netlink
import SystemPackage

extension IPVS {
    /// The whole table as one value: every service and destination, without counters.
    ///
    /// The value is consistent: the kernel lets a table change while it is read without reporting it, so the table is
    /// read until two readings in a row are equal. A table that does not change needs two readings. A change that is
    /// undone between the two readings is not noticed, because the kernel does not number changes.
    ///
    /// This is the fastest way to read a whole table: IPv4 services and their destinations are read by the older
    /// interface (`getsockopt`), and only the rest by netlink. For counters see ``status()``.
    ///
    /// - Parameter attempts: how many times the table is read at most; at least two.
    /// - Throws: ``IPVSError/Code/inconsistent`` if it changed each time, and the errors of ``services()``.
    public func table(attempts: Int = 20) async throws(IPVSError) -> Table {
        precondition(attempts >= 2, "it takes two readings to compare")
        // The two interfaces are read in turns. If two readings by one interface are equal, the table did not change
        // between them, and so not during the reading by the other interface that lies between. If the netlink reading
        // adds nothing but the absence of persistence engines, it need not be repeated.
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

    /// A reading by the older interface; nil if it fails for any reason, since netlink then reports the error.
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
    /// The part of a table that the older interface does not report.
    private struct Remainder: Equatable {
        /// The IPv6 services, or all services if the older interface does not work.
        var services: [VirtualService] = []
        /// The persistence engines of the other services.
        var engines: [VirtualService.ID: String] = [:]
        /// Destinations of these services, and of others that the older interface could not report.
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

    /// - Parameter known: the reading by the older interface; nil if there is none.
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
