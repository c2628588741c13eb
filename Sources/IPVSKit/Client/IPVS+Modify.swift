extension IPVS {
    /// Changes part of a service: reads it, lets the body change it, and writes it if it differs. Properties that the
    /// body does not change stay as they are, and so do attributes that this library does not know
    /// (``VirtualServiceStatus/unknownAttributes``).
    ///
    /// This is not atomic: changes that another program makes between the reading and the writing are overwritten,
    /// except changes to flags that the body leaves alone.
    ///
    /// - Parameters:
    ///   - id: which service.
    ///   - change: receives the service and changes it. Replacing it by a service with another id is a mistake of the
    ///     program and traps.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and the errors of ``perform(_:)``.
    public func modify(
        _ id: VirtualService.ID, _ change: (inout VirtualService) -> Void
    ) async throws(IPVSError) {
        let status = try await serviceAlone(id)
        let found = status.service
        var wanted = found
        change(&wanted)
        precondition(wanted.id == id, "a change of \(id) is none of \(wanted.id)")
        guard wanted != found else { return }
        try await rewrite(
            wanted, flags: wanted.flags.symmetricDifference(found.flags), replacing: found,
            keeping: status.unknownAttributes)
    }

    /// Changes part of a destination: reads it, lets the body change it, and writes it if it differs. Properties that
    /// the body does not change stay as they are: the tunnel and the thresholds, which the kernel would otherwise set
    /// to zero, and attributes that this library does not know (``DestinationStatus/unknownAttributes``).
    ///
    /// This is not atomic: changes that another program makes between the reading and the writing are overwritten.
    ///
    /// - Parameters:
    ///   - id: the id of the destination.
    ///   - service: the service of the destination.
    ///   - change: receives the destination and changes it. Replacing it by a destination with another id is a mistake
    ///     of the program and traps.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound`` and the errors of
    ///   ``perform(_:)``.
    public func modify(
        _ id: Destination.ID, of service: VirtualService.ID, _ change: (inout Destination) -> Void
    ) async throws(IPVSError) {
        guard let status = try await self.service(service).destinations.first(where: { $0.id == id }) else {
            throw report(IPVSError(.destinationNotFound, operation: "change destination \(id) of \(service)"))
        }
        var wanted = status.destination
        change(&wanted)
        precondition(wanted.id == id, "a change of \(id) is none of \(wanted.id)")
        guard wanted != status.destination else { return }
        try await rewrite(
            wanted, of: service, replacing: status.destination, keeping: status.unknownAttributes)
    }
}
