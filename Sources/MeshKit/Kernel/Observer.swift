import IPVSKit
import RuleKit

/// Reads what the kernel holds.
struct Observer: Sendable {
    let ipvs: IPVS
    let rules: any RuleBackend
    let sysctls: SysctlFiles

    func observe() async throws -> ObservedDatapath {
        // IPVS first: its settings exist once its module is loaded, and reading the table loads it.
        let services = try await ipvs.status()
        var values: [Sysctl: String] = [:]
        for sysctl in Sysctl.all { values[sysctl] = sysctls.read(sysctl) }
        return ObservedDatapath(
            services: services, rules: try await rules.read(), sysctls: values,
            interfacesWithRouterAdvertisements: sysctls.interfacesWithRouterAdvertisements())
    }
}
