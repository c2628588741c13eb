import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension IPVS {
    /// Deletes every service of the namespace, whoever made it. `IPVS_CMD_FLUSH`. An empty table is no error.
    ///
    /// - Throws: what ``services()`` does, and so do the others here.
    public func flush() async throws(IPVSError) {
        let request = Messages { $0.writeFlush() }
        try await read("delete all services", request)
    }

    /// Sets counters to zero: a service's and its destinations', or all. `IPVS_CMD_ZERO`.
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

    /// Changes timeouts, for connections that are idle from now on. `IPVS_CMD_SET_CONFIG`.
    ///
    /// - Parameter timeouts: nil leaves one as it is.
    /// - Throws: ``IPVSError/Code/invalid`` for more than 2³¹−1 jiffies, which is 24 days where the kernel's clock
    ///   ticks 1000 times a second; and for 0, which the kernel would take and leave the timeout as it is.
    public func set(_ timeouts: Timeouts) async throws(IPVSError) {
        let operation = "set the timeouts"
        if let objection = timeouts.objection { throw report(IPVSError(refusing: operation, objection)) }
        let request = Messages { $0.write(timeouts) }
        try await read(operation, request)
    }

    /// What IPVS says of itself. `IPVS_CMD_GET_INFO`.
    public func info() async throws(IPVSError) -> Info { try await info("read the version") }

    /// - Parameter operation: what it is read for, which an error names.
    func info(_ operation: String) async throws(IPVSError) -> Info {
        let request = Messages { $0.writeInfoRequest() }
        return try await readOne(operation, request) { Info($0) }
    }

    /// The sync daemons of the namespace: none, one, or one of each role. `IPVS_CMD_GET_DAEMON`.
    public func daemons() async throws(IPVSError) -> [SyncDaemon] { try await daemons("list the sync daemons") }

    /// - Parameter operation: what they are listed for, which an error names.
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
    /// - Throws: ``IPVSError/Code/daemonRunning``, ``IPVSError/Code/interfaceNotFound``, and
    ///   ``IPVSError/Code/invalid`` for a group that is no multicast address, while a destination is of another family than
    ///   its service, and for a ``SyncDaemon/maximumLength`` that the kernel would take and make another of.
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
                ? "\(daemon.group!) is no multicast address"
                : "perhaps a destination is of another family than its service: no daemon starts then"
            throw explained
        }
    }

    /// Stops the sync daemon of a role. `IPVS_CMD_DEL_DAEMON`.
    ///
    /// - Throws: ``IPVSError/Code/daemonNotRunning``, and ``IPVSError/Code/daemonRunning`` where one runs afterwards.
    public func stopDaemon(_ role: SyncDaemon.Role) async throws(IPVSError) {
        let operation = "stop the \(role) sync daemon"
        // A daemon whose thread has not run yet is stopped, and that is EINTR (kthread_stop), of which netlink sends no
        // answer (netlink_rcv_skb). So a request goes behind it that is always answered.
        let requests = Messages(2) { range, writer in
            for index in range {
                // The kernel wants the id to be named, and does not look at it.
                if index == 0 { writer.writeStop(role, syncID: 0) } else { writer.writeInfoRequest() }
            }
        }
        try await read(operation, requests, meaning: [.noSuchProcess: .daemonNotRunning])
        // No answer is no promise.
        guard try await daemons(operation).allSatisfy({ $0.role != role }) else {
            throw report(
                IPVSError(
                    .daemonRunning, operation: operation,
                    hint: "the kernel did not stop it, or another program has started one since"))
        }
    }
}
