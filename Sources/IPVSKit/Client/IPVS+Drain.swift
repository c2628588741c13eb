import Logging

extension IPVS {
    /// After reading the connection table, a drain waits at least this many times as long as the reading took.
    private static let rest = 9

    /// Removes a destination from a service without cutting a connection: gives it weight 0, so that it gets no new
    /// connections, waits until the connection table holds only closed connections to it, and removes it.
    ///
    /// Closed connections are those in the kernel's states `TIME_WAIT` and `CLOSE` for TCP, and `CLOSED` and `REJECTED`
    /// for SCTP. Half-closed connections count as open, since they still receive. Clients that are remembered for
    /// persistence (``Connection/isTemplate``) do not count as connections; they still get new connections to the
    /// destination, unless ``Setting/expireQuiescentTemplate`` is on. One-packet scheduling
    /// (``VirtualService/Flags/onePacket``) leaves no connections.
    ///
    /// - The kernel does not see the end of a UDP connection. It counts until the kernel forgets it,
    ///   ``Timeouts/udpSeconds`` after the last datagram.
    /// - With ``Destination/ForwardingMethod/directRoute`` and ``Destination/ForwardingMethod/tunnel``, the kernel sees
    ///   only the packets of the client: a connection that the client has closed is in `FIN_WAIT`, and counts for
    ///   ``Timeouts/tcpFinSeconds``.
    /// - The table does not show to which of several services by firewall mark a connection belongs. If such services
    ///   share a destination's address and port, an open connection of one service may delay the drain of another, at
    ///   most until the kernel has forgotten all connections of the drained destination.
    ///
    /// The connection table (``connections()``) is read only if the destination's counters do not decide: some
    /// connections are left, and none of them is active. It is read up to the first open connection. Before it is read
    /// again, nine times the duration of the reading pass, however short `interval` is.
    ///
    /// - Parameters:
    ///   - destination: the destination to drain.
    ///   - service: the service of the destination.
    ///   - limit: how long to wait at most. The table is read a last time when the limit has passed.
    ///   - interval: how long to wait between two looks at the table; ten milliseconds at least.
    /// - Returns: whether the destination was removed, or how many connections are left. To cut them off, call
    ///   ``delete(_:of:)``.
    /// - Throws: ``IPVSError/Code/serviceNotFound`` or ``IPVSError/Code/destinationNotFound``, also if another program
    ///   deletes the object meanwhile; ``IPVSError/Code/cancelled``, and the errors of ``perform(_:)`` and
    ///   ``connections()``. Each error names the drain, the service and the destination. After any error but the first
    ///   two, the destination may have weight 0.
    @discardableResult public func drain(
        _ destination: Destination.ID, of service: VirtualService.ID, within limit: Duration,
        every interval: Duration = .seconds(1)
    ) async throws(IPVSError) -> DrainResult {
        do throws(IPVSError) {
            // The steps do not log their failures: the drain logs them once, under its own name.
            return try await quiet.drained(destination, of: service, within: limit, every: interval)
        } catch {
            var error = error
            error.operation = "drain destination \(destination) of \(service)"
            throw report(error)
        }
    }

    private func drained(
        _ destination: Destination.ID, of service: VirtualService.ID, within limit: Duration, every interval: Duration
    ) async throws(IPVSError) -> DrainResult {
        let clock = ContinuousClock()
        let end = clock.now + limit
        try await modify(destination, of: service) { $0.weight = 0 }
        while true {
            let start = clock.now
            let isLast = start >= end
            let left = try await connectionsLeft(destination, of: service, countsAll: isLast)
            if left == 0 {
                try await delete(destination, of: service)
                return .removed
            }
            if isLast { return .connectionsLeft(left) }
            let now = clock.now
            let pause = max(interval, Self.shortestInterval, (now - start) * Self.rest)
            do { try await Task.sleep(for: min(pause, max(end - now, .zero))) } catch {
                throw IPVSError(.cancelled, operation: "wait")
            }
        }
    }

    /// The number of connections of a destination that are not closed.
    ///
    /// - Parameter countsAll: false where it need only be known whether there are any.
    package func connectionsLeft(
        _ destination: Destination.ID, of service: VirtualService.ID, countsAll: Bool = true
    ) async throws(IPVSError) -> Int {
        guard let status = try await self.service(service).destinations.first(where: { $0.id == destination }) else {
            throw IPVSError(.destinationNotFound, operation: "look")
        }
        let counted = Int(status.activeConnections) + Int(status.inactiveConnections)
        if counted == 0 || (status.activeConnections > 0 && !countsAll) { return counted }
        var found = DestinationConnections(destination: destination, service: service)
        for try await connection in connections() {
            found.take(connection)
            if found.open > 0, !countsAll { break }
        }
        return found.left(of: counted)
    }

    /// The number of connections that are not closed, for each of the given destinations that exists. The connection
    /// table is read once at most.
    ///
    /// - Parameter services: the destinations of each service, and the protocol of its connections, which the table
    ///   shows. That of a service by firewall mark may be unknown.
    package func connectionsLeft(
        of services: [VirtualService.ID: (destinations: Set<Destination.ID>, transport: TransportProtocol?)]
    ) async throws(IPVSError) -> [VirtualService.ID: [Destination.ID: Int]] {
        let ids = Array(services.keys)
        var left: [VirtualService.ID: [Destination.ID: Int]] = [:]
        // By address, since thousands of connections are compared with them.
        var unsure: [IPAddress: [(found: DestinationConnections, counted: Int)]] = [:]
        for (id, destinations) in zip(ids, try await destinations(of: ids)) {
            for status in destinations where services[id]!.destinations.contains(status.id) {
                let counted = Int(status.activeConnections) + Int(status.inactiveConnections)
                left[id, default: [:]][status.id] = counted
                guard counted > 0 else { continue }
                let found = DestinationConnections(
                    destination: status.id, service: id, transport: services[id]!.transport)
                unsure[status.id.address, default: []].append((found, counted))
            }
        }
        guard !unsure.isEmpty else { return left }
        for try await connection in connections() {
            guard var candidates = unsure.removeValue(forKey: connection.destination.address) else { continue }
            for index in candidates.indices { candidates[index].found.take(connection) }
            unsure[connection.destination.address] = candidates
        }
        for (found, counted) in unsure.values.joined() {
            left[found.service]?[found.destination] = found.left(of: counted)
        }
        return left
    }

    /// The same client with a logger that discards failures.
    private var quiet: IPVS { IPVS(sharing: self, logger: Logger(label: "ipvs") { _ in SwiftLogNoOpLogHandler() }) }
}
