public import IPVSKit
import RuleKit

/// Finds the steps from what the kernel holds to what it should hold. Pure: no input or output, no clock.
public enum Planner {
    /// What a packet meets last is put up first and taken down last, so that no packet meets half a path.
    ///
    /// - Parameter owned: the marks whose services are ours; all other services are left alone.
    public static func plan(from found: ObservedDatapath, to wanted: Datapath, owned: Set<FirewallMark>) -> Plan {
        let ours = Table(found.services).filter { id in id.firewallMark.map(owned.contains) ?? false }
        let ipvs = Table.changes(from: ours, to: wanted.ipvs)
        let rules = RuleSet.changes(from: found.rules, to: wanted.rules)

        var steps: [Plan.Step] = []
        steps += sysctls(from: found, to: wanted).map(Plan.Step.sysctl)
        steps += ipvs.filter { !$0.isRemoval }.map(Plan.Step.ipvs)
        steps += rules.additions.map(Plan.Step.rules)
        steps += rules.removals.filter { !$0.isAddress }.map(Plan.Step.rules)
        steps += ipvs.filter(\.isRemoval).map(Plan.Step.ipvs)
        steps += rules.removals.filter(\.isAddress).map(Plan.Step.rules)
        return Plan(steps: steps)
    }

    private static func sysctls(from found: ObservedDatapath, to wanted: Datapath) -> [SysctlChange] {
        var changes: [SysctlChange] = []
        // Before forwarding is on: from then on the kernel would ignore advertisements, and the default route
        // they brought would run out.
        if wanted.sysctls[.ipv6Forwarding] == "1", found.sysctls[.ipv6Forwarding] == "0" {
            changes += found.interfacesWithRouterAdvertisements.sorted().map {
                SysctlChange(sysctl: .acceptRouterAdvertisements($0), old: "1", new: "2")
            }
        }
        for (sysctl, value) in wanted.sysctls.sorted(by: { $0.key < $1.key }) where found.sysctls[sysctl] != value {
            changes.append(SysctlChange(sysctl: sysctl, old: found.sysctls[sysctl], new: value))
        }
        return changes
    }
}

extension Change {
    fileprivate var isRemoval: Bool {
        switch self {
        case .deleteService, .deleteDestination: true
        case .createService, .updateService, .createDestination, .updateDestination: false
        }
    }
}

extension RuleChange {
    fileprivate var isAddress: Bool {
        if case .remove = self { true } else { false }
    }
}
