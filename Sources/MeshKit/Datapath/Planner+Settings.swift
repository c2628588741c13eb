import IPVSKit
import RuleKit

extension Planner {
    /// The steps for settings that do not have the wanted value.
    mutating func settings(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        var steps: [Plan.Step] = []
        for (sysctl, value) in wanted[place].sysctls.sorted(by: { $0.key.isBefore($1.key) }) {
            if let change = setting(sysctl, value, in: place, there.sysctls[sysctl] ?? .absent) {
                steps.append(step(place, .settings, .sysctl(change)))
            }
        }
        switch there.sysctls[.reservedPorts] {
        case .known(let current):
            let reserved = PortReservation(
                current: current, former: ledger[place].reservedPorts, wanted: wanted[place].reservedPorts)
            guard reserved.value != current else { break }
            steps.append(
                step(
                    place, .settings,
                    .sysctl(SysctlChange(sysctl: .reservedPorts, old: current, new: reserved.value))))
        case .unreadable(let reason): notes.append("not looked at: \(Sysctl.reservedPorts): \(reason)")
        case .absent, nil: break
        }
        return steps
    }

    /// The change that gives a setting its value; nil if the setting has it, or could not be read, which is noted.
    mutating func setting(
        _ sysctl: Sysctl, _ value: String, in place: PlaceID, _ reading: Reading<String>
    ) -> SysctlChange? {
        switch reading {
        case .known(value): return nil
        case .known(let current): return SysctlChange(sysctl: sysctl, old: current, new: value)
        case .absent: return SysctlChange(sysctl: sysctl, old: nil, new: value)
        case .unreadable(let reason):
            notes.append("not looked at: \(sysctl)\(place == .node ? "" : " in \(place)"): \(reason)")
            return nil
        }
    }

    /// The steps for the routing rules of a place.
    func routing(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        guard outline.routed.contains(place) else { return [] }
        let wanted = wanted[place].routingRules
        return wanted.subtracting(there.routingRules).sorted()
            .map { step(place, .routing, .routing($0, isWanted: true)) }
            + there.routingRules.subtracting(wanted).sorted()
            .map { step(place, .withdrawingRouting, .routing($0, isWanted: false)) }
    }

    func hairpins(of place: PlaceID) -> [Plan.Step] {
        guard place == .node, let ports = found.node.bridgePorts.value else { return [] }
        let on = Set(ports.values.joined().filter(\.value).map(\.key))
        let (wanted, ours) = (wanted[place].hairpinPorts, ledger[place].hairpinPorts)
        let raised = wanted.subtracting(on).sorted()
        let lowered = ours.subtracting(wanted).intersection(on).sorted()
        return raised.map { step(place, .hairpins, .hairpin(port: $0, true)) }
            + lowered.map { step(place, .withdrawingHairpins, .hairpin(port: $0, false)) }
    }
}

extension Sysctl {
    /// Sorts `accept_ra` before all other settings, and the rest by path. Once forwarding is on, the kernel would
    /// ignore router advertisements, and the default routes that they brought would expire.
    fileprivate func isBefore(_ other: Sysctl) -> Bool {
        let (first, second) = (isAboutRouterAdvertisements, other.isAboutRouterAdvertisements)
        return first == second ? self < other : first
    }
}
