extension IPVS {
    /// Whoever looks more often than this only keeps the kernel busy.
    static var shortestInterval: Duration { .milliseconds(10) }
}

/// Verbs that do not ask what there was before: each leads to the same end from wherever it begins.
extension IPVS {
    /// Makes a service be so: creates it, or replaces scheduler, flags and persistence of the one that there is. Its
    /// destinations stay. `IPVS_CMD_NEW_SERVICE`, and `IPVS_CMD_SET_SERVICE` where that answers `EEXIST`.
    ///
    /// - Throws: ``IPVSError/Code/schedulerNotFound`` and what ``perform(_:)`` does.
    public func createOrUpdate(_ service: VirtualService) async throws(IPVSError) {
        try await createOrUpdate(
            .createService(service), .updateService(service), exists: .serviceExists, absent: .serviceNotFound)
    }

    /// Makes a destination be so: adds it, or replaces all of the one that there is. `IPVS_CMD_NEW_DEST`, and
    /// `IPVS_CMD_SET_DEST` where that answers `EEXIST`.
    ///
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and what ``create(_:of:)`` does.
    public func createOrUpdate(
        _ destination: Destination, of service: VirtualService.ID
    ) async throws(IPVSError) {
        try await createOrUpdate(
            .createDestination(destination, of: service), .updateDestination(destination, of: service),
            exists: .destinationExists, absent: .destinationNotFound)
    }

    private func createOrUpdate(
        _ create: Change, _ update: Change, exists: IPVSError.Code, absent: IPVSError.Code
    ) async throws(IPVSError) {
        // Another program may delete it after the one answer and make it before the other, but not for ever.
        for _ in 0..<10 {
            do throws(IPVSError) {
                return try await perform(CollectionOfOne(create)).get()
            } catch  where error.code == exists {}
            do throws(IPVSError) {
                return try await perform(CollectionOfOne(update)).get()
            } catch  where error.code == absent {}
        }
        throw report(
            IPVSError(.inconsistent, operation: create.description, hint: "another program makes and deletes it"))
    }

    /// Takes a destination out of a service without cutting a connection: gives it weight 0, so that it gets no new
    /// ones, waits until it has none left, and removes it.
    ///
    /// Half-closed connections count, since they still receive. So do UDP's, which the kernel remembers for
    /// ``Timeouts/udpSeconds``. A client that is remembered for persistence goes on to get connections there, unless
    /// ``Setting/expireQuiescentTemplate`` is on.
    ///
    /// - Parameters:
    ///   - destination: which one.
    ///   - service: of which service.
    ///   - limit: how long to wait at most.
    ///   - interval: how long to wait between two looks; ten milliseconds at least.
    /// - Returns: whether it is gone. Where connections are left when the time is over, it stays with weight 0; whoever
    ///   wants to cut them off calls ``delete(_:of:)``.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound``,
    ///   ``IPVSError/Code/cancelled`` and what ``perform(_:)`` does.
    public func drain(
        _ destination: Destination.ID, of service: VirtualService.ID, within limit: Duration,
        every interval: Duration = .seconds(1)
    ) async throws(IPVSError) -> Bool {
        try await modify(destination, of: service) { $0.weight = 0 }
        let operation = "drain destination \(destination) of \(service)"
        let clock = ContinuousClock()
        let end = clock.now + limit
        let interval = max(interval, Self.shortestInterval)
        while true {
            guard let found = try await self.service(service).destinations.first(where: { $0.id == destination }) else {
                throw report(IPVSError(.destinationNotFound, operation: operation))
            }
            if found.activeConnections == 0, found.inactiveConnections == 0 {
                try await delete(destination, of: service)
                return true
            }
            let left = end - clock.now
            if left <= .zero { return false }
            do { try await Task.sleep(for: min(interval, left)) } catch {
                throw report(IPVSError(.cancelled, operation: operation))
            }
        }
    }
}
