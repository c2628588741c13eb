import SystemPackage

extension IPVS {
    /// The schedulers that a service can have now: their modules are loaded, built in, or can be loaded.
    ///
    /// The kernel does not list them: `/proc/modules` does not contain built-in modules, and the file of a module does
    /// not show whether it may be loaded. So a service is created with each candidate in a scratch namespace, which is
    /// deleted at once. Note that this loads all modules that can be loaded; `modprobe -r ip_vs_NAME` unloads a module
    /// that no service uses.
    ///
    /// - Parameter candidates: the schedulers to try, and the order of the result. Invalid names are left out.
    /// - Throws: ``IPVSError/Code/notPermitted`` without CAP_NET_ADMIN and CAP_SYS_ADMIN,
    ///   ``IPVSError/Code/unavailable`` where the kernel has no IPVS.
    public func schedulers(among candidates: [Scheduler] = Scheduler.known) async throws(IPVSError) -> [Scheduler] {
        let candidates = candidates.filter { Rules.nameFits($0.rawValue, limit: Scheduler.nameLimit) }
        let scratch = try await scratch("find the schedulers of the kernel")
        let result = try await scratch.perform(
            candidates.enumerated().map { number, scheduler in
                .createService(
                    VirtualService(
                        id: .firewallMark(FirewallMark(rawValue: UInt32(number) + 1)!, .ipv4), scheduler: scheduler))
            })
        if let interruption = result.interruption { throw interruption }
        for failure in result.failures where failure.error.code != .schedulerNotFound { throw failure.error }
        let missing = Set(result.failures.map(\.index))
        return candidates.indices.filter { !missing.contains($0) }.map { candidates[$0] }
    }
}
