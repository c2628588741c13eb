import Logging

extension IPVS {
    /// How many times as long as it took to read the connection table it is left alone at least.
    private static let rest = 9

    /// Takes a destination out of a service without cutting a connection: gives it weight 0, so that it gets no new
    /// ones, waits until nothing is left of it in the connection table but what is closed, and removes it.
    ///
    /// Closed are, by the kernel's names, `TIME_WAIT` and `CLOSE` of TCP, and `CLOSED` and `REJECTED` of SCTP. Half-closed
    /// connections count as open, since they still receive. Clients that are remembered for persistence
    /// (``Connection/isTemplate``) are no connections; they go on to get new ones there, unless
    /// ``Setting/expireQuiescentTemplate`` is on. What one-packet scheduling (``VirtualService/Flags/onePacket``) sends there
    /// leaves no connection.
    ///
    /// - UDP has no end that the kernel sees. Its connections count until they are forgotten, ``Timeouts/udpSeconds`` after
    ///   the last datagram.
    /// - By ``Destination/ForwardingMethod/directRoute`` and ``Destination/ForwardingMethod/tunnel`` the kernel sees the
    ///   client's half alone: a connection that the client has closed is in `FIN_WAIT`, and counts, for
    ///   ``Timeouts/tcpFinSeconds``.
    /// - The table does not say which service by firewall mark a connection belongs to. Where several share a
    ///   destination's address and port, an open connection of one may hold up the others, at most until the kernel has
    ///   forgotten all of their own.
    ///
    /// The table (``connections()``) is read only where the destination's counters leave the matter open: some connections
    /// are left, and none of them is active. It is read up to the first that is open, and then left alone for nine times
    /// as long as that took, however short `interval` is.
    ///
    /// - Parameters:
    ///   - destination: which one.
    ///   - service: of which service.
    ///   - limit: how long to wait at most. The last look at the table is taken when it is over.
    ///   - interval: how long to wait between two looks; ten milliseconds at least.
    /// - Returns: whether it is gone, or how many connections are left; whoever wants to cut them off calls
    ///   ``delete(_:of:)``.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound``, also where another program
    ///   deletes it meanwhile; ``IPVSError/Code/cancelled``, and what ``perform(_:)`` and ``connections()`` do. Each names
    ///   the drain, the service and the destination. But for the first two it may have weight 0 by then.
    @discardableResult public func drain(
        _ destination: Destination.ID, of service: VirtualService.ID, within limit: Duration,
        every interval: Duration = .seconds(1)
    ) async throws(IPVSError) -> DrainResult {
        do throws(IPVSError) {
            // What fails is reported once, as a part of this.
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

    /// How many connections of a destination are not closed.
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

    /// The same client, whose failures are told to nobody.
    private var quiet: IPVS { IPVS(sharing: self, logger: Logger(label: "ipvs") { _ in SwiftLogNoOpLogHandler() }) }
}
