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
}
