import IPVSKit

extension NFTablesBackend {
    /// What our table should hold for rules. Pure.
    public func render(_ rules: RuleSet) -> RenderedRules { Self.render(rules) }

    /// What our table should hold for rules. Looks at nothing.
    public static func render(_ rules: RuleSet) -> RenderedRules {
        var elements: Set<SetElement> = []
        elements.reserveCapacity(3 * rules.ports.count + rules.masqueraded.count)
        func put(
            _ set: NFTablesSet, mark: FirewallMark? = nil, transport: TransportProtocol? = nil,
            ports: ClosedRange<UInt16>? = nil, address: IPAddress? = nil, prefix: IPPrefix? = nil,
            value: SetElement.Value? = nil
        ) {
            elements.insert(
                SetElement(
                    set.rawValue, mark: mark, transport: transport, ports: ports, address: address, prefix: prefix,
                    value: value))
        }
        for (binding, rule) in rules.ports {
            let mark = rule.mark
            if let address = binding.address {
                put(
                    .of(address.family, .marksAt4, .marksAt6), transport: binding.transport, ports: binding.ports,
                    address: address, value: .mark(mark))
            } else if binding.isRange, let set = NFTablesSet.ranges(binding.transport) {
                put(set, ports: binding.ports, value: .mark(mark))
            } else {
                put(.marks, transport: binding.transport, ports: binding.ports, value: .mark(mark))
            }
            put(rule.isElsewhere ? .elsewhere : .published, mark: mark)
            put(.counters, mark: mark, value: .counter(counterName(binding)))
            if let allowed = rule.allowed {
                put(.restricted, mark: mark)
                for prefix in allowed.outermost {
                    put(.of(prefix.family, .allowed4, .allowed6), mark: mark, prefix: prefix)
                }
            }
            // Where the IPVS services are in the sandbox, it translates the port.
            guard !rule.isElsewhere, let target = rule.target ?? rule.twin else { continue }
            for family in rule.families where family == binding.address?.family ?? family {
                for (offset, port) in binding.ports.enumerated() {
                    put(
                        .of(family, .targets4, .targets6), mark: mark, ports: port...port,
                        value: .port(target + UInt16(offset)))
                }
            }
        }
        for (address, mark) in rules.virtualAddresses {
            put(.of(address.family, .vips4, .vips6), address: address, value: .mark(mark))
            put(.published, mark: mark)
        }
        for path in rules.masqueraded {
            put(.of(path.task.family, .masquerade4, .masquerade6), mark: path.mark, address: path.task)
        }
        for served in rules.answering {
            let family = served.task.family
            if served.ports.count > 1, let set = NFTablesSet.answerRanges(served.transport, family) {
                put(set, ports: served.ports, address: served.task)
            } else {
                put(
                    .of(family, .answers4, .answers6), transport: served.transport, ports: served.ports,
                    address: served.task)
            }
        }
        for prefix in rules.hairpins.outermost { put(.of(prefix.family, .hairpin4, .hairpin6), prefix: prefix) }
        for prefix in rules.insiders.outermost { put(.of(prefix.family, .insiders4, .insiders6), prefix: prefix) }
        return RenderedRules(
            role: rules.isEmpty ? nil : rules.role, owner: rules.owner, elements: elements,
            order: NFTablesSet.allCases.map(\.rawValue),
            setsWithSinglePorts: Set(NFTablesSet.withSinglePorts.map(\.rawValue)),
            disjoint: Set(NFTablesSet.disjoint.map(\.rawValue)),
            translating: [NFTablesSet.targets4.rawValue: .ipv4, NFTablesSet.targets6.rawValue: .ipv6],
            setsBehindIPVS: Set(NFTablesSet.behindIPVS.map(\.rawValue)))
    }

    /// The name of the counter of a port: `tcp-1080`, `udp-1000-1010`, `tcp-1080-at-192.168.5.1`. Only characters that
    /// `nft` accepts in a name occur.
    static func counterName(_ binding: PortBinding) -> String {
        let address = binding.address.map {
            "-at-" + $0.description.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "_")
        }
        return "\(binding.transport)-\(PortBinding.text(of: binding.ports))" + (address ?? "")
    }
}
