import Conntrack
import IPVSKit
import RuleKit
public import SystemPackage

/// Takes the steps of a plan, in order, neighbours of one kind together: one pipeline, one transaction.
struct Applier: Sendable {
    let kernel: Kernel

    /// - Returns: what had to stay of what was to be taken away.
    @discardableResult
    func apply(_ plan: Plan) async throws -> [RuleRemnant] {
        var remnants: [RuleRemnant] = []
        var rest = plan.steps[...]
        while let first = rest.first {
            switch first {
            case .ipvs:
                let changes = take(from: &rest) { if case .ipvs(let change) = $0 { change } else { nil } }
                try await kernel.ipvs.perform(changes).get()
            case .rules(_, let place):
                let changes = take(from: &rest) { step in
                    if case .rules(let change, place) = step { change } else { nil }
                }
                remnants += try await kernel.backend(place).apply(changes)
            case .flows:
                let flows = take(from: &rest) { if case .flows(let flows) = $0 { flows } else { nil } }
                let own = Set(NodeAddresses.read().map(\.address))
                _ = try await kernel.conntrack.delete(matching: flows.flatMap(\.filters)) { flow in
                    // What others send past this node to such a port is nothing of ours.
                    let destination = flow.original.destination.address
                    return destination.isLoopback || own.contains(destination)
                }
            case .sysctl(let change):
                try write(change)
                rest.removeFirst()
            case .tcpTimeout(_, let seconds):
                try await kernel.ipvs.set(Timeouts(tcpSeconds: seconds))
                rest.removeFirst()
            case .hairpin(let port, let isOn):
                try await kernel.bridges.setHairpin(isOn, of: port)
                rest.removeFirst()
            case .raiseDetour:
                try await kernel.detour.install()
                rest.removeFirst()
            case .dropDetour:
                try await kernel.detour.remove()
                rest.removeFirst()
            }
        }
        return remnants
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
            try kernel.sysctls.write(change.new, to: change.sysctl)
        } catch {
            throw SysctlError(sysctl: change.sysctl, value: change.new, errno: error)
        }
    }
}

extension StaleFlows {
    /// As conntrack is asked for them.
    fileprivate var filters: [FlowFilter] {
        let all = FlowFilter(
            protocol: binding.transport, originalDestination: binding.address,
            originalDestinationPorts: binding.ports)
        guard let tasks else { return [all] }
        return tasks.map { task in
            var filter = all
            filter.replySource = task
            return filter
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
