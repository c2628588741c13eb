import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension IPVS {
    /// Deletes all services of the namespace, including those of other programs: `IPVS_CMD_FLUSH`. Flushing an empty
    /// table is not an error.
    ///
    /// - Throws: the same errors as ``services()``, like all methods of this file.
    public func flush() async throws(IPVSError) {
        let request = Messages { $0.writeFlush() }
        try await read("delete all services", request)
    }

    /// Sets the counters of a service and its destinations, or all counters, to zero: `IPVS_CMD_ZERO`.
    ///
    /// - Parameter id: nil for all services and the totals.
    /// - Throws: ``IPVSError/Code/serviceNotFound``.
    public func zero(_ id: VirtualService.ID? = nil) async throws(IPVSError) {
        let request = Messages { $0.writeZero(id) }
        try await read(
            "zero the counters of \(id.map(\.description) ?? "all services")", request,
            meaning: [.noSuchProcess: .serviceNotFound])
    }

    /// The timeouts of the namespace. `IPVS_CMD_GET_CONFIG`.
    public func timeouts() async throws(IPVSError) -> Timeouts {
        let request = Messages { $0.writeTimeoutsRequest() }
        return try await readOne("read the timeouts", request) { Timeouts($0) }
    }

    /// Changes the timeouts, which apply to connections from their next packet on: `IPVS_CMD_SET_CONFIG`.
    ///
    /// - Parameter timeouts: the new timeouts; a timeout that is nil stays as it is.
    /// - Throws: ``IPVSError/Code/invalid`` for a timeout of more than 2³¹−1 jiffies, which is 24 days if the kernel's
    ///   clock ticks 1000 times a second; and for 0, which the kernel accepts without changing the timeout.
    public func set(_ timeouts: Timeouts) async throws(IPVSError) {
        let operation = "set the timeouts"
        if let objection = timeouts.objection { throw report(IPVSError(refusing: operation, objection)) }
        let request = Messages { $0.write(timeouts) }
        try await read(operation, request)
    }

    /// The version of IPVS and the size of its connection table: `IPVS_CMD_GET_INFO`.
    public func info() async throws(IPVSError) -> Info { try await info("read the version") }

    /// - Parameter operation: the operation that an error names.
    func info(_ operation: String) async throws(IPVSError) -> Info {
        let request = Messages { $0.writeInfoRequest() }
        return try await readOne(operation, request) { Info($0) }
    }

    /// The sync daemons of the namespace: none, one, or one of each role. `IPVS_CMD_GET_DAEMON`.
    public func daemons() async throws(IPVSError) -> [SyncDaemon] { try await daemons("list the sync daemons") }

    /// - Parameter operation: the operation that an error names.
    private func daemons(_ operation: String) async throws(IPVSError) -> [SyncDaemon] {
        let daemons = Gathered<SyncDaemon>()
        let request = Messages { $0.writeDaemonDump() }
        try await dump(operation, request) { _ in
            daemons.restart()
        } handler: { _, message in
            daemons.take(SyncDaemon(message))
        }
        return try whole(daemons, operation)
    }

    /// Starts a sync daemon. `IPVS_CMD_NEW_DAEMON`.
    ///
    /// - Throws: ``IPVSError/Code/daemonRunning``, ``IPVSError/Code/interfaceNotFound``, and ``IPVSError/Code/invalid``
    ///   if the group is not a multicast address, if a destination is of another family than its service, or if the
    ///   kernel would replace the ``SyncDaemon/maximumLength`` by another value.
    public func start(_ daemon: SyncDaemon) async throws(IPVSError) {
        let operation = "start the \(daemon.role) sync daemon on \(daemon.interface)"
        if let objection = daemon.objection { throw report(IPVSError(refusing: operation, objection)) }
        let request = Messages { $0.writeStart(daemon) }
        do throws(IPVSError) {
            try await read(
                operation, request,
                meaning: [.fileExists: .daemonRunning, Errno(rawValue: ENODEV): .interfaceNotFound])
        } catch {
            guard error.code == .invalid else { throw error }
            var explained = error
            explained.hint =
                daemon.group.map(\.isMulticast) == false
                ? "\(daemon.group!) is not a multicast address"
                : "perhaps a destination is of another family than its service: no daemon starts then"
            throw explained
        }
    }

    /// Stops the sync daemon of a role. `IPVS_CMD_DEL_DAEMON`.
    ///
    /// - Throws: ``IPVSError/Code/daemonNotRunning``, and ``IPVSError/Code/daemonRunning`` if a daemon of the role
    ///   still runs afterwards.
    public func stopDaemon(_ role: SyncDaemon.Role) async throws(IPVSError) {
        let operation = "stop the \(role) sync daemon"
        // If the daemon's thread has not run yet, the kernel stops it with EINTR (kthread_stop), for which netlink
        // sends no answer (netlink_rcv_skb). So a second request follows, which is always answered.
        let requests = Messages(2) { range, writer in
            for index in range {
                // The kernel requires the sync id and ignores its value.
                if index == 0 { writer.writeStop(role, syncID: 0) } else { writer.writeInfoRequest() }
            }
        }
        try await read(operation, requests, meaning: [.noSuchProcess: .daemonNotRunning])
        // A missing answer does not prove that the daemon has stopped, so the daemons are listed.
        guard try await daemons(operation).allSatisfy({ $0.role != role }) else {
            throw report(
                IPVSError(
                    .daemonRunning, operation: operation,
                    hint: "the kernel did not stop it, or another program has started one since"))
        }
    }
}
