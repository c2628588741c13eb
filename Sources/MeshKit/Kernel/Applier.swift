import IPVSKit
import RuleKit
public import SystemPackage

/// Takes the steps of a plan, in order, neighbours of one kind together: one pipeline, one transaction.
struct Applier: Sendable {
    let ipvs: IPVS
    let rules: any RuleBackend
    let sysctls: SysctlFiles

    func apply(_ plan: Plan) async throws {
        var rest = plan.steps[...]
        while let first = rest.first {
            switch first {
            case .sysctl(let change):
                try write(change)
                rest.removeFirst()
            case .ipvs:
                let changes = take(from: &rest) { if case .ipvs(let change) = $0 { change } else { nil } }
                try await ipvs.perform(changes).get()
            case .rules:
                let changes = take(from: &rest) { if case .rules(let change) = $0 { change } else { nil } }
                try await rules.apply(changes)
            }
        }
    }

    private func take<Change>(
        from steps: inout ArraySlice<Plan.Step>, _ kind: (Plan.Step) -> Change?
    ) -> [Change] {
        var changes: [Change] = []
        while let change = steps.first.flatMap(kind) {
            changes.append(change)
            steps.removeFirst()
        }
        return changes
    }

    private func write(_ change: SysctlChange) throws(SysctlError) {
        do {
            try sysctls.write(change.new, to: change.sysctl)
        } catch {
            throw SysctlError(sysctl: change.sysctl, value: change.new, errno: error)
        }
    }
}

/// Why a kernel setting could not be written.
public struct SysctlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The setting.
    public var sysctl: Sysctl
    /// The value it was to have.
    public var value: String
    /// What the kernel answered; ENOENT where it has no such setting.
    public var errno: Errno

    /// Which setting, and why.
    public var description: String {
        "cannot set \(sysctl) to \(value): \(errno)"
            + (errno == .noSuchFileOrDirectory ? "; the kernel has no such setting" : "")
            + (errno == .readOnlyFileSystem ? "; /proc/sys is mounted read-only here" : "")
    }
}
