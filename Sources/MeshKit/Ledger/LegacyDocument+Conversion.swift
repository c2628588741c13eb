import IPVSKit
import RuleKit

extension LegacyDocument {
    /// What the operator asked for. The spec goes on counting generations where the document stopped.
    ///
    /// - Parameter node: the name of the node that wrote the document.
    func spec(node: String) -> MeshSpec {
        var spec = MeshSpec()
        spec.generation = generation
        spec.services = services.mapValues { service in
            var converted = MeshSpec.Service()
            converted.scheduler = service.scheduler
            converted.ports = service.ports
            converted.tasks = service.tasks.map {
                SpecTask(address: $0.address, weight: $0.weight, node: $0.local ? node : nil)
            }
            return converted
        }
        return spec
    }

    /// What the node had put into its kernel.
    ///
    /// - Parameter node: the name of the node that wrote the document.
    func ledger(node: String) -> Ledger {
        var ledger = Ledger(node: node)
        ledger[.node] = nodeHoldings
        ledger[.loopback] = loopbackHoldings
        return ledger
    }

    private var nodeHoldings: Holdings {
        var holdings = Holdings()
        holdings.marks = marks
        // The first layout knew iptables alone.
        holdings.rules = schema == 1 && !marks.isEmpty ? .iptables : rules
        holdings.formerRules = formerRules
        holdings.settings = Dictionary(
            uniqueKeysWithValues: originalSysctls.map { sysctl, found in
                (sysctl, OriginalSetting(found: found, written: Self.written(sysctl)))
            })
        holdings.originalTCPTimeoutSeconds = originalTCPTimeoutSeconds
        holdings.reservedPorts = reservedPorts
        holdings.hairpinPorts = hairpinPorts
        holdings.staleFlows = staleFlows
        return holdings
    }

    private var marks: [FirewallMark: OwnedMark] {
        // Of those the document noted the number alone.
        var marks = Dictionary(uniqueKeysWithValues: retiringMarks.map { ($0, OwnedMark(binding: nil)) })
        for service in services.values {
            for port in service.ports {
                let destinations = service.tasks
                    .filter { port.listening.address?.family ?? $0.address.family == $0.address.family }
                    .map { Destination.ID($0.address, port: port.listening.isRange ? 0 : port.target) }
                marks[port.mark] = OwnedMark(binding: port.listening, destinations: Set(destinations))
            }
        }
        return marks
    }

    private var loopbackHoldings: Holdings {
        var holdings = Holdings()
        if !loopback {
            holdings.refusal = "recorded by an earlier version"
        } else if services.values.contains(where: { !$0.ports.isEmpty }) {
            // The name that those versions gave to the node's end. Their namespace is called after the inode of the node's,
            // which the document did not note.
            holdings.links = ["meshctl-lo"]
        }
        return holdings
    }

    /// The value that those versions gave to a setting.
    private static func written(_ sysctl: Sysctl) -> String {
        // Of each interface: accept_ra, which takes router advertisements in spite of forwarding.
        if sysctl.rawValue.hasSuffix("/accept_ra") { return "2" }
        // What the kernel made of it when they wrote ip_forward.
        if sysctl.rawValue == "net/ipv4/conf/all/accept_redirects" { return "0" }
        // All others are switches, which they switched on.
        return "1"
    }
}
