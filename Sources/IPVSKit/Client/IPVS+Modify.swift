extension IPVS {
    /// Changes part of a service: reads it, lets the body change it, and writes it where it differs. What the body
    /// does not name stays as it is, attributes that this library has no name for included
    /// (``VirtualServiceStatus/unknownAttributes``).
    ///
    /// Not atomic: what another program changes between the reading and the writing is written over, but for flags that
    /// the body leaves alone, which the kernel keeps.
    ///
    /// - Parameters:
    ///   - id: which service.
    ///   - change: gets it as it is, and leaves it as it is to be. It is a mistake of the program that traps to put
    ///     another service, with another id, in its place.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and what ``perform(_:)`` does.
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

    /// Changes part of a destination: reads it, lets the body change it, and writes it where it differs. What the
    /// body does not name stays as it is: a tunnel and thresholds, which the kernel would set to zero, and attributes
    /// that this library has no name for (``DestinationStatus/unknownAttributes``).
    ///
    /// Not atomic: what another program changes between the reading and the writing is written over.
    ///
    /// - Parameters:
    ///   - id: which destination.
    ///   - service: of which service.
    ///   - change: gets it as it is, and leaves it as it is to be. It is a mistake of the program that traps to put
    ///     another destination, with another id, in its place.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound`` and what ``perform(_:)`` does.
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
