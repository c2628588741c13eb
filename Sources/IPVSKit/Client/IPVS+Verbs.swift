extension IPVS {
    /// Creates a service, without destinations: `IPVS_CMD_NEW_SERVICE`.
    /// - Throws: ``IPVSError/Code/serviceExists``, ``IPVSError/Code/schedulerNotFound`` and the errors of
    ///   ``perform(_:)``.
    public func create(_ service: VirtualService) async throws(IPVSError) {
        try await perform(CollectionOfOne(.createService(service))).get()
    }

    /// Replaces scheduler, flags and persistence of a service: `IPVS_CMD_SET_SERVICE`. To change a part of them, see
    /// ``modify(_:_:)`` and ``update(_:setting:clearing:)``.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/schedulerNotFound`` and the errors of ``perform(_:)``.
    public func update(_ service: VirtualService) async throws(IPVSError) {
        try await perform(CollectionOfOne(.updateService(service))).get()
    }

    /// Deletes a service and its destinations: `IPVS_CMD_DEL_SERVICE`.
    /// - Throws: ``IPVSError/Code/serviceNotFound`` and the errors of ``perform(_:)``.
    public func delete(_ id: VirtualService.ID) async throws(IPVSError) {
        try await perform(CollectionOfOne(.deleteService(id))).get()
    }

    /// Adds a destination to a service: `IPVS_CMD_NEW_DEST`.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationExists``,
    ///   ``IPVSError/Code/invalid`` for an address that cannot be a destination, and the errors of ``perform(_:)``.
    public func create(_ destination: Destination, of service: VirtualService.ID) async throws(IPVSError) {
        try await perform(CollectionOfOne(.createDestination(destination, of: service))).get()
    }

    /// Replaces all properties of a destination except its address and port: `IPVS_CMD_SET_DEST`. To change a part of
    /// them, see ``modify(_:of:_:)``.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound`` and the errors of ``perform(_:)``.
    public func update(_ destination: Destination, of service: VirtualService.ID) async throws(IPVSError) {
        try await perform(CollectionOfOne(.updateDestination(destination, of: service))).get()
    }

    /// Removes a destination from a service: `IPVS_CMD_DEL_DEST`. If `net.ipv4.vs.expire_nodest_conn` is 1, its
    /// connections end with their next packet.
    /// - Throws: ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/destinationNotFound`` and the errors of ``perform(_:)``.
    public func delete(_ destination: Destination.ID, of service: VirtualService.ID) async throws(IPVSError) {
        try await perform(CollectionOfOne(.deleteDestination(destination, of: service))).get()
    }
}
