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
    /// The part of the kernel that a step changes.
    public enum Part: String, Sendable, Encodable {
        /// A kernel setting.
        case sysctl
        /// The IPVS table.
        case ipvs = "IPVS"
        /// The rules.
        case rules
    }

    /// Which part of the kernel is changed.
    public var part: Part {
        switch self {
        case .sysctl: .sysctl
        case .ipvs: .ipvs
        case .rules: .rules
        }
    }

    /// What is done, in words.
    public var action: String {
        switch self {
        case .sysctl(let change): "\(change.sysctl) = \(change.new) (is \(change.old ?? "missing"))"
        case .ipvs(let change): change.summary
        case .rules(let change): change.summary
        }
    }

    /// What was found that makes it necessary, where the action does not say it.
    public var reasons: [String] {
        if case .rules(.install(let faults)) = self { faults.map(\.description) } else { [] }
    }

    /// The part and the action in a line, and a line for each reason.
    public var description: String {
        let part = part.rawValue
        let padding = String(repeating: " ", count: max(0, 8 - part.count))
        return ([part + padding + action] + reasons.map { "          " + $0 }).joined(separator: "\n")
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

extension RuleChange {
    fileprivate var summary: String {
        switch self {
        case .install: "install the mesh's chains and sets"
        case .uninstall: "remove the mesh's chains and sets"
        case .mark(let port, let mark): "mark \(port) with \(mark)"
        case .unmark(let port): "mark \(port) no longer"
        case .add(let address, .tasks): "let replies of \(address) through"
        case .remove(let address, .tasks): "let replies of \(address) through no longer"
        case .add(let address, .sourceNAT): "SNAT balanced packets to \(address)"
        case .remove(let address, .sourceNAT): "SNAT balanced packets to \(address) no longer"
        }
    }
}
