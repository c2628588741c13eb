import Netlink
import SystemPackage

extension IPVS {
    /// The whole table as one value: every service and destination, without counters.
    ///
    /// Consistent: the kernel lets a table change while it is read, and does not say so. So it is read until two
    /// readings in a row are alike, which a table that rests is at once.
    ///
    /// The fastest way there is to a whole table: destinations of IPv4 services are read by the older interface
    /// (`getsockopt`), all others by netlink. For counters see ``status()``.
    ///
    /// - Parameter attempts: how many times the table is read at most; two or more.
    /// - Throws: ``IPVSError/Code/inconsistent`` where it changed each time.
    public func table(attempts: Int = 20) async throws(IPVSError) -> Table {
        precondition(attempts >= 2, "it takes two readings to compare")
        var last = try await reading()
        for _ in 1..<attempts {
            let next = try await reading()
            if next == last { return next.table }
            last = next
        }
        throw report(
            IPVSError(
                .inconsistent, operation: "read the table",
                hint: "it changed during each of \(attempts) readings; try again, or read status()"))
    }

    /// In the kernel's order, since arrays are compared faster than dictionaries.
    private struct Reading: Equatable {
        var services: [VirtualService]
        var destinations: [[Destination]]

        var table: Table {
            Table(zip(services, destinations).map { Table.Entry($0, destinations: $1) })
        }
    }

    private func reading() async throws(IPVSError) -> Reading {
        let services = try await services().map(\.service)
        var lists: [[Destination]?] = services.map { _ in nil }
        if let namespace, services.contains(where: { $0.id.family == .ipv4 }) {
            let ids = services.map(\.id)
            // Where the older interface fails, for whichever reason, netlink has the word.
            lists =
                (try? await DetachedThread.run(in: namespace) { () throws(Errno) in
                    try Self.destinationsBySocketOption(ids)
                }) ?? lists
        }

        let missing = services.indices.filter { lists[$0] == nil }
        let rest = try await destinations(of: missing.map { services[$0].id })
        for (index, destinations) in zip(missing, rest) { lists[index] = destinations.map(\.destination) }
        return Reading(services: services, destinations: lists.map { $0 ?? [] })
    }

    /// Nil for each service whose destinations this interface cannot tell.
    private static func destinationsBySocketOption(_ ids: [VirtualService.ID]) throws(Errno) -> [[Destination]?] {
        let socket = try SocketOptions()
        let counts = try socket.destinationCounts()
        var lists: [[Destination]?] = []
        lists.reserveCapacity(ids.count)
        for id in ids {
            guard id.family == .ipv4, let count = counts[id] else {
                lists.append(nil)
                continue
            }
            do {
                lists.append(try socket.destinations(of: id, count: count))
            } catch .noSuchProcess {
                // Deleted since it was listed: netlink says so by an empty list, and the next reading differs.
                lists.append(nil)
            }
        }
        return lists
    }
}
