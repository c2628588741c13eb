public import IPVSKit
public import RuleKit

/// The ordered steps from the datapath observed to the datapath wanted.
public struct Plan: Hashable, Sendable {
    /// One step: one message to the kernel, or one transaction.
    public enum Step: Hashable, Sendable {
        /// Writes a kernel setting.
        case sysctl(SysctlChange)
        /// Changes the IPVS table.
        case ipvs(Change)
        /// Changes the rules.
        case rules(RuleChange)
    }

    /// In the order in which they are taken.
    public var steps: [Step]

    /// Whether the kernel holds what it should.
    public var isEmpty: Bool { steps.isEmpty }
}

/// A kernel setting and the value it is to have.
public struct SysctlChange: Hashable, Sendable {
    /// The setting.
    public var sysctl: Sysctl
    /// The value found; nil where the kernel has no such setting.
    public var old: String?
    /// The value wanted.
    public var new: String
}

extension Plan.Step: CustomStringConvertible {
    /// One line: where, what, and why where that is not plain.
    public var description: String {
        switch self {
        case .sysctl(let change): "sysctl  \(change.sysctl) = \(change.new) (is \(change.old ?? "missing"))"
        case .ipvs(let change): "IPVS    \(change.summary)"
        case .rules(.install(let faults)):
            "rules   install the mesh's chains and sets" + faults.map { "\n          \($0)" }.joined()
        case .rules(.uninstall): "rules   remove the mesh's chains and sets"
        case .rules(.mark(let port, let mark)): "rules   mark \(port) with \(mark)"
        case .rules(.unmark(let port)): "rules   mark \(port) no longer"
        case .rules(.add(let address, .tasks)): "rules   let replies of \(address) through"
        case .rules(.remove(let address, .tasks)): "rules   let replies of \(address) through no longer"
        case .rules(.add(let address, .sourceNAT)): "rules   SNAT balanced packets to \(address)"
        case .rules(.remove(let address, .sourceNAT)): "rules   SNAT balanced packets to \(address) no longer"
        }
    }
}

extension Change {
    /// The change with all that it sets.
    fileprivate var summary: String {
        switch self {
        case .createService(let service), .updateService(let service):
            "\(self): scheduler \(service.scheduler)" + (service.flags.contains(.hashFallback) ? ", with fallback" : "")
        case .createDestination(let destination, _), .updateDestination(let destination, _):
            "\(self): \(destination.forwarding), weight \(destination.weight)"
        case .deleteService, .deleteDestination: description
        }
    }
}
