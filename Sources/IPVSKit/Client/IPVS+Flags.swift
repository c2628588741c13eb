extension IPVS {
    /// Changes a service, but of its flags those in the mask alone: the others stay as the kernel has them.
    ///
    /// One message, and nothing is read. `IPVS_CMD_SET_SERVICE` takes flags with a mask (`struct ip_vs_flags`); the
    /// scheduler, the persistence and its engine it takes whole, so these become what `service` says. To keep them,
    /// see ``update(_:setting:clearing:)``.
    ///
    /// - Parameters:
    ///   - service: what it is to be. Its flags outside the mask are not looked at.
    ///   - mask: the flags that become those of `service`. Empty: all stay.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and what ``perform(_:)`` does.
    public func update(
        _ service: VirtualService, flags mask: VirtualService.Flags
    ) async throws(IPVSError) {
        try await rewrite(service, flags: mask)
    }

    /// Sets flags of a service and clears others. Those that are named in neither stay as the kernel has them, even
    /// if another program changes them at the same time.
    ///
    /// ```swift
    /// try await ipvs.update(web, setting: .hashFallback, clearing: .onePacket)
    /// ```
    ///
    /// The kernel takes flags with a mask, but not without the scheduler and the persistence (`IPVS_CMD_SET_SERVICE`).
    /// So these are read first (`IPVS_CMD_GET_SERVICE`) and written as they were: what another program makes of
    /// *them* in between is written over. Who knows them needs no reading: ``update(_:flags:)``.
    ///
    /// - Parameters:
    ///   - id: which service.
    ///   - set: flags that it is to have.
    ///   - cleared: flags that it is not to have; none that is also to be set.
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and what ``perform(_:)`` does.
    public func update(
        _ id: VirtualService.ID, setting set: VirtualService.Flags = [], clearing cleared: VirtualService.Flags = []
    ) async throws(IPVSError) {
        precondition(set.isDisjoint(with: cleared), "a flag is set or cleared, not both")
        let found = try await serviceAlone(id)
        var service = found.service
        service.flags = set
        try await rewrite(
            service, flags: set.union(cleared), replacing: found.service, keeping: found.unknownAttributes)
    }
}
