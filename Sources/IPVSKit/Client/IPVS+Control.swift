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
    ///   ticks 1000 times a second.
    public func set(_ timeouts: Timeouts) async throws(IPVSError) {
        let request = Messages { $0.write(timeouts) }
        try await read("set the timeouts", request)
    }

    /// What IPVS says of itself. `IPVS_CMD_GET_INFO`.
    public func info() async throws(IPVSError) -> Info { try await info("read the version") }

    /// - Parameter operation: what it is read for, which an error names.
    func info(_ operation: String) async throws(IPVSError) -> Info {
        let request = Messages { $0.writeInfoRequest() }
        return try await readOne(operation, request) { Info($0) }
    }

    /// The sync daemons of the namespace: none, one, or one of each role. `IPVS_CMD_GET_DAEMON`.
    public func daemons() async throws(IPVSError) -> [SyncDaemon] {
        let daemons = Gathered<SyncDaemon>()
        let request = Messages { $0.writeDaemonDump() }
        try await read("list the sync daemons", dump: true, request) { _, message in
            daemons.take(SyncDaemon(message))
        }
        return try whole(daemons, "list the sync daemons")
    }

    /// Starts a sync daemon. `IPVS_CMD_NEW_DAEMON`.
    ///
    /// - Throws: ``IPVSError/Code/daemonRunning``, ``IPVSError/Code/interfaceNotFound``, and
    ///   ``IPVSError/Code/invalid`` for a group that is no multicast address, while a destination is of another family than
    ///   its service, and for a sync id above 255, which the kernel would cut off.
    public func start(_ daemon: SyncDaemon) async throws(IPVSError) {
        let operation = "start the \(daemon.role) sync daemon on \(daemon.interface)"
        do throws(IPVSError) {
            try IPVSError.checkName(daemon.interface, "an interface's name", limit: 15, operation: operation)
            guard daemon.syncID <= UInt8.max else {
                throw IPVSError(
                    .invalid, operation: operation, hint: "a sync id is 255 at most: a message has a byte for it")
            }
        } catch {
            throw report(error)
        }
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
    /// - Throws: ``IPVSError/Code/daemonNotRunning``.
    public func stopDaemon(_ role: SyncDaemon.Role) async throws(IPVSError) {
        // The kernel wants the id to be named, and does not look at it.
        let request = Messages { $0.writeStop(role, syncID: 0) }
        try await read("stop the \(role) sync daemon", request, meaning: [.noSuchProcess: .daemonNotRunning])
    }
}
