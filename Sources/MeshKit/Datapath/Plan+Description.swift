import IPVSKit
import RuleKit

extension Plan.Step: CustomStringConvertible {
    /// The part of the kernel that a step changes.
    public enum Part: String, Sendable, Codable {
        /// A kernel setting.
        case sysctl
        /// Interfaces and namespaces.
        case links
        /// The IPVS table and its timeouts.
        case ipvs = "IPVS"
        /// The rules.
        case rules
        /// The flows that conntrack tracks.
        case flows
    }

    /// The part of the kernel that the step changes.
    public var part: Part {
        switch change {
        case .sysctl: .sysctl
        case .hairpin, .namespace, .link, .routing: .links
        case .ipvs, .tcpTimeout: .ipvs
        case .rules: .rules
        case .flows: .flows
        }
    }

    /// The step in words, with the place unless it is the node's own namespace.
    public var action: String { words + (place == .node || saysWhere ? "" : ", in \(place)") }

    private var saysWhere: Bool {
        switch change {
        case .namespace, .link: true
        case .sysctl, .tcpTimeout, .hairpin, .ipvs, .rules, .flows, .routing: false
        }
    }

    private var words: String {
        switch change {
        case .sysctl(let change):
            "\(change.sysctl) = \(shown(change.new))" + (change.old.map { " (is \(shown($0)))" } ?? "")
        case .tcpTimeout(let old, let new):
            "timeout of idle TCP connections = \(new) s (is \(old.map { "\($0) s" } ?? "not set"))"
        case .hairpin(let port, true): "hairpin on for bridge port \(port), so that a task behind it reaches itself"
        case .hairpin(let port, false): "hairpin off for bridge port \(port)"
        case .namespace(.make(let name)): "make the namespace \(name), for the place \(place)"
        case .namespace(.remove(let name)): "remove the namespace \(name), of the place \(place)"
        case .link(.make(let link, _)):
            "make the \(link.kind)\(link.ends.count > 1 ? " pair" : "") "
                + link.ends.reversed().map { "\($0.id)" }.joined(separator: " and ")
        case .routing(let rule, let isWanted): "\(isWanted ? "add" : "remove") the routing rule \(rule)"
        case .link(.raise(let end, let mend, _)): mend.action(on: end)
        case .link(.remove(let end)): "remove the interface \(end)"
        case .ipvs(let change): change.summary
        case .rules(let change, let tool): change.summary(by: tool)
        case .flows(let flows): "forget flows to \(flows.binding)" + (flows.tasks.map { " of \(list($0))" } ?? "")
        }
    }

    private func shown(_ value: String?) -> String {
        guard let value else { return "missing" }
        return value.isEmpty ? "empty" : value
    }

    private func list(_ tasks: Set<IPAddress>) -> String { tasks.sorted().map(\.description).joined(separator: ", ") }

    /// The findings that make the step necessary, if the action does not say them.
    public var reasons: [String] {
        switch change {
        case .rules(.install(_, let faults), _): faults.map(\.description)
        case .link(.make(_, let faults)), .link(.raise(_, _, let faults)): faults
        case .sysctl, .tcpTimeout, .hairpin, .namespace, .link, .routing, .ipvs, .rules, .flows: []
        }
    }

    /// One line with the part and the action, and one more line for each reason.
    public var lines: [String] { Self.lines(part, action, because: reasons) }

    /// One line with the part and the action, and one more line for each reason.
    package static func lines(_ part: Part, _ action: String, because reasons: [String]) -> [String] {
        let padding = String(repeating: " ", count: max(0, 8 - part.rawValue.count))
        return [part.rawValue + padding + action] + reasons.map { "          " + $0 }
    }

    /// ``lines`` as one text.
    public var description: String { lines.joined(separator: "\n") }
}

extension Change {
    /// The change with all values that it sets.
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
    fileprivate func summary(by tool: RuleTool) -> String {
        switch self {
        case .install: "\(tool): install the mesh's rules"
        case .claim(let owner): "\(tool): note in the rules that they belong to the state in \(owner.folder)"
        case .uninstall: "\(tool): remove the mesh's rules"
        case .put(let element, let replaced):
            "\(tool): \(element)"
                + (replaced.isEmpty ? "" : " (is \(replaced.map(\.shown).joined(separator: ", ")))")
        case .remove(let element): "\(tool): not \(element)"
        }
    }
}

extension LinkMend {
    fileprivate func action(on end: LinkEnd) -> String {
        let addresses = end.addresses.sorted().map(\.description).joined(separator: ", ")
        return raises ? "raise \(end.id)" + (addresses.isEmpty ? "" : " with \(addresses)") : "mend \(end.id)"
    }
}

extension SetElement {
    /// The element as ``description`` prints it, without the name of the set.
    fileprivate var shown: String { String(description.dropFirst(set.count + 1)) }
}
