extension IPVS {
    /// Whether the kernel brings the namespace's counters and rates up to date. Where it does not they stand still,
    /// which looks like no traffic.
    ///
    /// ``Setting/runEstimation`` must be on, and ``Setting/estCpulist`` must not be empty. A kernel that has neither
    /// setting always does; outside the first user namespace they are not seen, and taken for what they are by default.
    ///
    /// - Throws: what ``setting(_:)`` does.
    public func estimationRuns() async throws(IPVSError) -> Bool {
        let isOn = try await setting(.runEstimation) ?? true
        let hasProcessors = try await setting(.estCpulist) != CPUList.none
        return isOn && hasProcessors
    }
}
