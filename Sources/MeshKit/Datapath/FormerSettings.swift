import IPVSKit

/// Settings that are to have the values that they had before the mesh wrote them. Pure.
///
/// A setting is given back only while it has the value that the mesh gave it: another value is somebody else's by now.
package struct FormerSettings: Equatable, Sendable {
    package var settings: [Sysctl: OriginalSetting] = [:]
    /// In seconds; nil where the timeout is not to be given back.
    package var tcpTimeoutSeconds: UInt32?
    /// Why forwarding of a family has to stay on, by the setting that switches it.
    package var kept: [Sysctl: String] = [:]

    package init() {}

    /// What a place's holdings say was there before.
    package init(_ holdings: Holdings) {
        settings = holdings.settings
        tcpTimeoutSeconds = holdings.originalTCPTimeoutSeconds
    }

    /// The changes, and in words what is left as it is although it is ours.
    func changes(from found: ObservedPlace) -> (changes: [Plan.Change], notes: [String]) {
        // What the kernel holds after the changes so far: it writes some settings because we write others.
        var current = found.sysctls.compactMapValues(\.value)
        let before = current
        var settings = settings
        var changes: [Plan.Change] = []
        var notes: [String] = []
        for (sysctl, reason) in kept where settings[sysctl] != nil {
            notes.append("\(sysctl) stays on: \(reason)")
            for other in sysctl.consequences(of: "0", in: current).keys { settings[other] = nil }
            settings[sysctl] = nil
        }
        func write(_ value: String, to sysctl: Sysctl) {
            changes.append(.sysctl(SysctlChange(sysctl: sysctl, old: current[sysctl], new: value)))
            current.merge(sysctl.consequences(of: value, in: current)) { $1 }
            current[sysctl] = value
        }
        let ordered = settings.sorted { left, right in
            (left.key.switchesForwarding ? 0 : 1, left.key) < (right.key.switchesForwarding ? 0 : 1, right.key)
        }
        var touched: Set<Sysctl> = []
        for (sysctl, original) in ordered where sysctl.switchesForwarding {
            // A setting that has gone, with its module or its interface, needs no putting back.
            guard let value = before[sysctl], value == original.written, value != original.found else { continue }
            touched.formUnion(sysctl.consequences(of: original.found, in: current).keys)
            write(original.found, to: sysctl)
        }
        for sysctl in touched.union(settings.keys.filter { !$0.switchesForwarding }).sorted() {
            guard let value = before[sysctl], let target = target(of: sysctl, from: value), current[sysctl] != target
            else { continue }
            write(target, to: sysctl)
        }
        if let seconds = tcpTimeoutSeconds, let now = found.timeouts.tcpSeconds, now == HostBalancer.tcpTimeoutSeconds,
            now != seconds
        {
            changes.append(.tcpTimeout(old: now, new: seconds))
        }
        return (changes, notes)
    }

    /// What a setting is to be in the end: what it was before the mesh wrote it, or caused it to be written; what it is,
    /// where it has another value than that.
    private func target(of sysctl: Sysctl, from value: String) -> String? {
        if let original = settings[sysctl] { return value == original.written ? original.found : value }
        // An interface that came since has what the mesh made the default.
        if let template = sysctl.template, let original = settings[template], value == original.written {
            return original.found
        }
        return value
    }
}
