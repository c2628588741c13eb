import SystemPackage

extension IPVS {
    /// The schedulers that a service can have now: those of the kernel's modules that are loaded, built in, or
    /// there to be loaded.
    ///
    /// The kernel lists them nowhere: `/proc/modules` knows no built-in ones, and a module's file says nothing of
    /// whether it may be loaded. So a service is made with each, in a new namespace that nobody sees and that goes
    /// at once. What is true of that is true of yours, but note that it loads the modules that can be loaded;
    /// `modprobe -r ip_vs_NAME` unloads one that no service uses.
    ///
    /// - Parameter candidates: what to try, and the order of the result. What cannot be a name is none.
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
