extension IPVS {
    /// The shortest interval between two looks at the table: shorter ones would only keep the kernel busy.
    static var shortestInterval: Duration { .milliseconds(10) }
}

/// Verbs that reach the wanted state whether or not the object exists.
extension IPVS {
    /// Creates a service, or replaces scheduler, flags and persistence of the existing one, whose destinations stay.
    /// `IPVS_CMD_NEW_SERVICE`, and `IPVS_CMD_SET_SERVICE` if the first answers `EEXIST`.
    ///
    /// - Throws: ``IPVSError/Code/schedulerNotFound`` and the errors of ``perform(_:)``.
    public func createOrUpdate(_ service: VirtualService) async throws(IPVSError) {
        try await createOrUpdate(
            .createService(service), .updateService(service), exists: .serviceExists, absent: .serviceNotFound)
    }

    /// Adds a destination, or replaces all properties of the existing one. `IPVS_CMD_NEW_DEST`, and `IPVS_CMD_SET_DEST`
    /// if the first answers `EEXIST`.
    ///
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and the errors of ``create(_:of:)``.
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
        // Another program may delete the object before the update and create it again before the next attempt, but not
        // for ever.
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
