extension IPVS {
    /// Changes part of a service: reads it, lets the body change it, and writes it where it differs. What the body
    /// does not name stays as it is.
    ///
    /// Not atomic: what another program changes between the reading and the writing is written over, but for flags that
    /// the body leaves alone, which the kernel keeps.
    ///
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and what ``perform(_:)`` does.
    public func modify(
        _ id: VirtualService.ID, _ change: (inout VirtualService) -> Void
    ) async throws(IPVSError) {
        let found = try await serviceAlone(id).service
        var wanted = found
        change(&wanted)
        if wanted != found { try await update(wanted, flags: wanted.flags.symmetricDifference(found.flags)) }
    }

    /// Changes part of a destination: reads it, lets the body change it, and writes it where it differs. What the
    /// body does not name stays as it is, a tunnel and thresholds included, which the kernel would set to zero.
    ///
    /// Not atomic: what another program changes between the reading and the writing is written over.
    ///
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound`` and what ``perform(_:)`` does.
    public func modify(
        _ id: Destination.ID, of service: VirtualService.ID, _ change: (inout Destination) -> Void
    ) async throws(IPVSError) {
        let destinations = try await self.service(service).destinations
        guard let found = destinations.first(where: { $0.id == id })?.destination else {
            throw IPVSError(.destinationNotFound, operation: "change destination \(id) of \(service)")
        }
        var wanted = found
        change(&wanted)
        if wanted != found { try await update(wanted, of: service) }
    }
}
