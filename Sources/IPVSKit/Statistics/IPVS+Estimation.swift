extension IPVS {
    /// Whether the kernel updates the namespace's counters and rates. If it does not, they stand still, which looks
    /// like no traffic.
    ///
    /// ``Setting/runEstimation`` must be on, and ``Setting/estCpulist`` must not be empty. A kernel that has neither
    /// setting always updates them. Outside the initial user namespace the settings are not visible, and their defaults
    /// are assumed.
    ///
    /// - Throws: the errors of ``setting(_:)``.
    public func estimationRuns() async throws(IPVSError) -> Bool {
        let isOn = try await setting(.runEstimation) ?? true
        let hasProcessors = try await setting(.estCpulist) != CPUList.none
        return isOn && hasProcessors
    }
}
