extension IPVS {
    /// Updates a service, changing only the flags in the mask: the other flags stay as the kernel has them.
    ///
    /// Sends one message and reads nothing. `IPVS_CMD_SET_SERVICE` takes flags with a mask (`struct ip_vs_flags`), but
    /// replaces the scheduler, the persistence and the persistence engine by those of `service`. To keep these, see
    /// ``update(_:setting:clearing:)``.
    ///
    /// - Parameters:
    ///   - service: the wanted service. Its flags outside the mask are ignored.
    ///   - mask: the flags to change; with an empty mask, all flags stay.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and the errors of
    ///   ``perform(_:)``.
    public func update(
        _ service: VirtualService, flags mask: VirtualService.Flags
    ) async throws(IPVSError) {
        try await rewrite(service, flags: mask)
    }

    /// Sets flags of a service and clears others. All other flags stay as the kernel has them, even if another program
    /// changes them at the same time.
    ///
    /// ```swift
    /// try await ipvs.update(web, setting: .hashFallback, clearing: .onePacket)
    /// ```
    ///
    /// The kernel takes flags with a mask, but only together with the scheduler and the persistence
    /// (`IPVS_CMD_SET_SERVICE`). So these are read first (`IPVS_CMD_GET_SERVICE`) and written back: if another program
    /// changes the scheduler or the persistence in between, its change is overwritten. If you know them,
    /// ``update(_:flags:)`` needs no reading.
    ///
    /// - Parameters:
    ///   - id: the id of the service.
    ///   - set: the flags to set.
    ///   - cleared: the flags to clear. A flag must not be in both sets.
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and the errors of ``perform(_:)``.
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
