import IPVSKit
import RuleKit

extension LegacyDocument {
    /// The spec in the document. It continues the document's count of generations.
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

    /// The ledger in the document: everything that the node had put into its kernel.
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
        // Layout 1 knew only iptables.
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
        // The document recorded only the numbers of these marks.
        var marks = Dictionary(uniqueKeysWithValues: retiringMarks.map { ($0, OwnedMark(binding: nil)) })
        for service in services.values {
            for port in service.ports {
                let destinations = service.tasks
                    .filter { port.listening.address?.family ?? $0.address.family == $0.address.family }
                    .map { Destination.ID($0.address, port: port.destinationPort) }
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
            // Earlier versions gave this name to the node's end of the pair. They named their namespace after the inode
            // of the node's namespace, which the document does not record.
            holdings.links = ["meshctl-lo"]
        }
        return holdings
    }

    /// The value that earlier versions wrote to a setting.
    private static func written(_ sysctl: Sysctl) -> String {
        // accept_ra of an interface: 2 accepts router advertisements in spite of forwarding.
        if sysctl.rawValue.hasSuffix("/accept_ra") { return "2" }
        // The kernel wrote this value when those versions wrote ip_forward.
        if sysctl.rawValue == "net/ipv4/conf/all/accept_redirects" { return "0" }
        // All other settings are switches, which those versions switched on.
        return "1"
    }
}
