import IPVSKit
import RuleKit

extension Plan.Step: CustomStringConvertible {
    /// The part of the kernel that a step changes.
    public enum Part: String, Sendable, Encodable {
        /// A kernel setting.
        case sysctl
        /// Interfaces and namespaces.
        case links
        /// The IPVS table and its timeouts.
        case ipvs = "IPVS"
        /// The rules.
        case rules
        /// What conntrack remembers.
        case flows
    }

    /// Which part of the kernel is changed.
    public var part: Part {
        switch self {
        case .sysctl: .sysctl
        case .hairpin, .raiseDetour, .dropDetour: .links
        case .ipvs, .tcpTimeout: .ipvs
        case .rules: .rules
        case .flows: .flows
        }
    }

    /// What is done, in words.
    public var action: String {
        switch self {
        case .sysctl(let change): "\(change.sysctl) = \(shown(change.new)) (is \(shown(change.old)))"
        case .tcpTimeout(let old, let new):
            "timeout of idle TCP connections = \(new) s (is \(old.map { "\($0) s" } ?? "not set"))"
        case .hairpin(let port, true): "hairpin on for bridge port \(port), so that a task behind it reaches itself"
        case .hairpin(let port, false): "hairpin off for bridge port \(port)"
        case .raiseDetour: "make the detour for 127.0.0.1: \(LoopbackDetour.interface) and a namespace"
        case .dropDetour: "remove the detour for 127.0.0.1"
        case .ipvs(let change): change.summary
        case .rules(let change, let place): change.summary(at: place)
        case .flows(let flows): "forget flows to \(flows.binding)" + (flows.tasks.map { " of \(list($0))" } ?? "")
        }
    }

    private func shown(_ value: String?) -> String {
        guard let value else { return "missing" }
        return value.isEmpty ? "empty" : value
    }

    private func list(_ tasks: Set<IPAddress>) -> String { tasks.sorted().map(\.description).joined(separator: ", ") }

    /// What was found that makes it necessary, where the action does not say it.
    public var reasons: [String] {
        switch self {
        case .rules(.install(_, let faults), _): faults.map(\.description)
        case .raiseDetour(let faults): faults
        default: []
        }
    }

    /// The part and the action in a line, and a line for each reason.
    public var lines: [String] {
        let part = part.rawValue
        let padding = String(repeating: " ", count: max(0, 8 - part.count))
        return [part + padding + action] + reasons.map { "          " + $0 }
    }

    /// ``lines`` as one text.
    public var description: String { lines.joined(separator: "\n") }
}

extension Change {
    /// The change with all that it sets.
    fileprivate var summary: String {
        switch self {
        case .createService(let service), .updateService(let service):
            "\(self): scheduler \(service.scheduler)" + (service.flags.contains(.hashFallback) ? ", with fallback" : "")
                + (service.persistence.map { ", sticky for \($0.timeoutSeconds) s" } ?? "")
        case .createDestination(let destination, _), .updateDestination(let destination, _):
            "\(self): \(destination.forwarding), weight \(destination.weight)"
        case .deleteService, .deleteDestination: description
        }
    }
}

extension RuleChange {
    fileprivate func summary(at place: RulePlace) -> String {
        let inDetour = place.namespace == .detour ? ", in the detour's namespace" : ""
        return switch self {
        case .install: "\(place.tool): install the mesh's rules\(inDetour)"
        case .uninstall: "\(place.tool): remove the mesh's rules\(inDetour)"
        case .put(let element, let replaced):
            "\(place.tool): \(element)"
                + (replaced.isEmpty ? "" : " (is \(replaced.map(\.shown).joined(separator: ", ")))")
        case .remove(let element): "\(place.tool): not \(element)"
        }
    }
}

extension SetElement {
    /// As in ``description``, without the set.
    fileprivate var shown: String { String(description.dropFirst(set.count + 1)) }
}
