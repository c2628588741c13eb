import IPVSKit
import RuleKit

extension StaleFlows {
    /// The UDP flows that a change makes stale, in the order of the ports.
    ///
    /// All flows of a port are stale when the port is published or unpublished, because earlier datagrams went
    /// elsewhere and conntrack would send the next ones after them. The same holds when a service gets its first task
    /// of a family or loses its last. When another task leaves, only the flows to this task are stale. As long as a path
    /// of the port retires, its flows go on, and only those to tasks that leave are stale.
    ///
    /// - Parameters:
    ///   - before: the ports that were published until now, by mark.
    ///   - retiring: the marks of retiring paths.
    ///   - pending: ports whose flows an earlier pass may have failed to delete.
    static func all(
        of wanted: PlaceContent, before: [FirewallMark: OwnedMark], rules: [RuleChange], ipvs: [Change],
        retiring: Set<FirewallMark> = [], pending: Set<PortBinding> = []
    ) -> [StaleFlows] {
        var flows = Dictionary(
            uniqueKeysWithValues: pending.map { ($0, StaleFlows(binding: $0, tasks: nil)) })
        let marked = marks(in: rules)
        let ports = wanted.rules.ports.filter { $0.key.transport == .udp }
        for (binding, rule) in ports where !retiring.contains(rule.mark) && marked?.contains(rule.mark) ?? true {
            flows[binding] = StaleFlows(binding: binding, tasks: nil)
        }
        for (mark, owned) in before where !retiring.contains(mark) {
            guard let binding = owned.binding, binding.transport == .udp, ports[binding] == nil else { continue }
            flows[binding] = StaleFlows(binding: binding, tasks: nil)
        }
        let bindings = Dictionary(ports.map { ($1.mark, $0) }) { first, _ in first }
        for change in ipvs {
            let (service, task): (VirtualService.ID, IPAddress?)
            switch change {
            case .createService(let created): (service, task) = (created.id, nil)
            case .deleteService(let id): (service, task) = (id, nil)
            case .deleteDestination(let destination, let id): (service, task) = (id, destination.address)
            case .updateService, .createDestination, .updateDestination: continue
            }
            guard let mark = service.firewallMark, let binding = bindings[mark],
                task != nil || !retiring.contains(mark)
            else { continue }
            var stale = flows[binding] ?? StaleFlows(binding: binding, tasks: [])
            if let task { stale.tasks?.insert(task) } else { stale.tasks = nil }
            flows[binding] = stale
        }
        return flows.values.sorted { $0.binding < $1.binding }
    }

    /// The marks that packets get only from now on; nil for all marks, if the rules as a whole are installed.
    private static func marks(in changes: [RuleChange]) -> Set<FirewallMark>? {
        var marks: Set<FirewallMark> = []
        for change in changes {
            switch change {
            case .put(let element, _): if case .mark(let mark) = element.value { marks.insert(mark) }
            case .install: return nil
            case .uninstall, .remove, .claim: break
            }
        }
        return marks
    }
}
