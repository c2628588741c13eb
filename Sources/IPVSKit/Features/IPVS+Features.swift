import CNetlink
import Netlink
import Synchronization

extension IPVS {
    /// The features, kept for the life of the process: the kernel is the same for all namespaces.
    private static let knownFeatures = Mutex<Features?>(nil)

    /// The abilities of this kernel's IPVS, found by writing values and reading them back in a scratch namespace that
    /// exists only for this. They are found once for each process; an incomplete answer is not kept.
    ///
    /// - Throws: ``IPVSError/Code/notPermitted`` without CAP_NET_ADMIN and CAP_SYS_ADMIN,
    ///   ``IPVSError/Code/unavailable`` where the kernel has no IPVS.
    public func features() async throws(IPVSError) -> Features {
        let operation = "find the features of the kernel"
        if try namespace(operation) != nil, let known = Self.knownFeatures.withLock({ $0 }) { return known }
        let features = try await scratch(operation).probe()
        Self.knownFeatures.withLock { $0 = features }
        return features
    }

    /// Tries the features in this client's table, which must be a scratch namespace's.
    private func probe() async throws(IPVSError) -> Features {
        let id = VirtualService.ID.firewallMark(1, .ipv4)
        let tunnel = Destination.Tunnel(type: .gue, port: 6080)
        let scheduler = try await anyScheduler()
        try await perform([
            .createService(VirtualService(id: id, scheduler: scheduler)),
            .createDestination(Destination("192.0.2.1", port: 0, forwarding: .tunnel, tunnel: tunnel), of: id),
        ]).get()

        let services = try await attributes(IPVS_CMD_ATTR_SERVICE) { $0.writeServiceDump() }
        let destinations = try await attributes(IPVS_CMD_ATTR_DEST) { $0.writeDestinationDump(of: id) }

        return Features(
            tunnelTypes: try await self.destinations(of: id).first?.destination.tunnel == tunnel,
            wideCounters: services.contains(IPVS_SVC_ATTR_STATS64),
            mixedFamilies: destinations.contains(IPVS_DEST_ATTR_ADDR_FAMILY), ipv6: try await canDoIPv6(scheduler),
            conntrack: try await setting(.conntrack) != nil, estimatorThreads: try await setting(.estNice) != nil)
    }

    /// Any scheduler will do, but a kernel may lack each of them.
    private func anyScheduler() async throws(IPVSError) -> Scheduler {
        let id = VirtualService.ID.firewallMark(2, .ipv4)
        var last: IPVSError?
        for scheduler in Scheduler.known {
            do throws(IPVSError) {
                try await create(VirtualService(id: id, scheduler: scheduler))
                return scheduler
            } catch {
                guard error.code == .schedulerNotFound else { throw error }
                last = error
            }
        }
        throw last!
    }

    private func canDoIPv6(_ scheduler: Scheduler) async throws(IPVSError) -> Bool {
        do throws(IPVSError) {
            try await create(VirtualService(id: .firewallMark(1, .ipv6), scheduler: scheduler))
            return true
        } catch {
            guard error.code == .familyNotSupported else { throw error }
            return false
        }
    }

    /// The types of the attributes in the nests of the answers.
    private func attributes(
        _ nest: Int, _ write: @escaping (inout MessageWriter) -> Void
    ) async throws(IPVSError) -> Set<Int> {
        final class Types {
            var types: Set<Int> = []
        }
        let found = Types()
        try await dump("find the features of the kernel", Messages(write)) { _ in
            found.types = []
        } handler: { _, message in
            for attribute in message.attributes where Int(attribute.type) == nest {
                for inner in attribute.nested { found.types.insert(Int(inner.type)) }
            }
        }
        return found.types
    }
}
