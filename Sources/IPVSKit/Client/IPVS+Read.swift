import Netlink
import SystemPackage

extension IPVS {
    /// The services of the namespace, with their counters and without their destinations: one dump of
    /// `IPVS_CMD_GET_SERVICE`. Their order is that of the kernel's hash table.
    ///
    /// - Throws: ``IPVSError/Code/notPermitted``, ``IPVSError/Code/unavailable``, ``IPVSError/Code/deadlineExceeded``,
    ///   ``IPVSError/Code/cancelled``, ``IPVSError/Code/outcomeUnknown``, ``IPVSError/Code/communication``.
    public func services() async throws(IPVSError) -> [VirtualServiceSummary] {
        let services = Gathered<VirtualServiceSummary>()
        let request = Messages { $0.writeServiceDump() }
        try await dump("list services", request) { _ in
            services.restart()
        } handler: { _, message in
            services.take(VirtualServiceSummary(message))
        }
        return try whole(services, "list services")
    }

    /// One service with its destinations: `IPVS_CMD_GET_SERVICE`, followed by `IPVS_CMD_GET_DEST`.
    ///
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and the errors of ``services()``.
    public func service(_ id: VirtualService.ID) async throws(IPVSError) -> VirtualServiceStatus {
        let service = try await serviceAlone(id)
        return VirtualServiceStatus(service, destinations: try await destinations(of: id))
    }

    /// One service, without its destinations.
    func serviceAlone(_ id: VirtualService.ID) async throws(IPVSError) -> VirtualServiceSummary {
        let request = Messages { $0.writeServiceRequest(id) }
        return try await readOne("read service \(id)", request) { VirtualServiceSummary($0) }
    }

    /// The destinations of a service, with their counters: a dump of `IPVS_CMD_GET_DEST`. If there is no such service,
    /// the result is empty: the kernel does not distinguish the two cases, but ``service(_:)`` does.
    ///
    /// - Throws: the errors of ``services()``.
    public func destinations(of id: VirtualService.ID) async throws(IPVSError) -> [DestinationStatus] {
        try await destinations(of: [id])[0]
    }

    /// All services with their destinations and counters.
    ///
    /// The kernel has no single command for this: it takes one request for the services and one for the destinations of
    /// each service. Changes that are made meanwhile may be seen or not. For the table at one moment, see
    /// ``table(attempts:)``.
    ///
    /// - Throws: the errors of ``services()``.
    public func status() async throws(IPVSError) -> [VirtualServiceStatus] {
        let services = try await services()
        let destinations = try await destinations(of: services.map(\.id))
        return zip(services, destinations).map { VirtualServiceStatus($0, destinations: $1) }
    }

    func destinations(of ids: [VirtualService.ID]) async throws(IPVSError) -> [[DestinationStatus]] {
        guard !ids.isEmpty else { return [] }
        let lists = ids.map { _ in Gathered<DestinationStatus>() }
        let requests = Messages(ids.count) { range, writer in
            for id in ids[range] { writer.writeDestinationDump(of: id) }
        }
        try await dump("list destinations", requests) { index in
            lists[index].restart()
        } handler: { index, message in
            lists[index].take(DestinationStatus(message, serviceFamily: ids[index].family))
        }
        var result: [[DestinationStatus]] = []
        result.reserveCapacity(ids.count)
        for list in lists { result.append(try whole(list, "list destinations")) }
        return result
    }

    /// Sends one request that is answered by one message.
    func readOne<Value: Sendable>(
        _ operation: String, _ request: Messages, parse: @escaping (NetlinkMessage) -> Value?
    ) async throws(IPVSError) -> Value {
        let values = Gathered<Value>()
        try await read(operation, request) { _, message in values.take(parse(message)) }
        guard let value = try whole(values, operation).first else {
            throw report(IPVSError(.communication, operation: operation, hint: "the kernel sent no data"))
        }
        return value
    }

    /// The gathered values; throws if one of them is incomplete.
    func whole<Element>(_ gathered: Gathered<Element>, _ operation: String) throws(IPVSError) -> [Element] {
        if let elements = gathered.elements { return elements }
        throw report(
            IPVSError(.communication, operation: operation, hint: "an entry that the kernel sent is incomplete"))
    }

    /// Sends requests that do not change the table, and hands the messages that answer them to the handler.
    ///
    /// - Parameters:
    ///   - dump: whether the requests are dumps, which end with a message of their own.
    ///   - meaning: the meanings that errno values have for these requests only.
    func read(
        _ operation: String, _ requests: Messages,
        meaning: [Errno: IPVSError.Code] = [.noSuchProcess: .serviceNotFound],
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void = { _, _ in }
    ) async throws(IPVSError) {
        do throws(NetlinkError) {
            try await client.send(requests, deadline: deadline, handler: handler).check()
        } catch {
            throw report(IPVSError(error, operation: operation, meaning: meaning))
        }
    }

    /// Sends requests for lists, and hands the entries to the handler.
    ///
    /// - Parameter restart: is told that the entries so far of a list are void, and that it begins anew.
    func dump(
        _ operation: String, _ requests: Messages, restart: @escaping (_ index: Int) -> Void,
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void
    ) async throws(IPVSError) {
        do throws(NetlinkError) {
            try await client.dump(requests, deadline: deadline, restart: restart, handler: handler).check()
        } catch {
            throw report(IPVSError(error, operation: operation, meaning: [.noSuchProcess: .serviceNotFound]))
        }
    }
}
