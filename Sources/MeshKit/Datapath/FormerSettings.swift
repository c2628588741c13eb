import IPVSKit

/// The settings that get back the values which they had before the mesh wrote them. Pure.
///
/// A setting is restored only while it still has the value that the mesh wrote: any other value was set by somebody
/// else since.
package struct FormerSettings: Equatable, Sendable {
    package var settings: [Sysctl: OriginalSetting] = [:]
    /// The former timeout of idle TCP connections in seconds; nil if the timeout is not restored.
    package var tcpTimeoutSeconds: UInt32?
    /// The reason why forwarding of a family has to stay on, by the setting that switches it.
    package var kept: [Sysctl: String] = [:]

    package init() {}

    /// The original values that a place's holdings have recorded.
    package init(_ holdings: Holdings) {
        settings = holdings.settings
        tcpTimeoutSeconds = holdings.originalTCPTimeoutSeconds
    }

    /// The changes that restore the settings, and a note for each setting of ours that stays as it is.
    func changes(from found: ObservedPlace) -> (changes: [Plan.Change], notes: [String]) {
        // The values after the changes planned so far. Writing one setting can make the kernel write others.
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
            // A setting that has disappeared with its module or its interface needs no restoring.
            guard let value = before[sysctl], value == original.written, value != original.found else { continue }
            touched.formUnion(sysctl.consequences(of: original.found, in: current).keys)
            write(original.found, to: sysctl)
        }
        for sysctl in touched.union(settings.keys.filter { !$0.switchesForwarding }).sorted() {
            guard let value = before[sysctl], let target = target(of: sysctl, from: value), current[sysctl] != target
            else { continue }
            write(target, to: sysctl)
        }
        if let seconds = tcpTimeoutSeconds, let now = found.timeouts.tcpSeconds, now == PortBalancing.tcpTimeoutSeconds,
            now != seconds
        {
            changes.append(.tcpTimeout(old: now, new: seconds))
        }
        return (changes, notes)
    }

    /// The value that a setting should have in the end. It is the original value if the mesh, or the kernel because of
    /// the mesh, has written the present one; otherwise it is the present value.
    private func target(of sysctl: Sysctl, from value: String) -> String? {
        if let original = settings[sysctl] { return value == original.written ? original.found : value }
        // An interface that was created since took its value from the default, which the mesh had changed.
        if let template = sysctl.template, let original = settings[template], value == original.written {
            return original.found
        }
        return value
    }
}
