public import IPVSKit

extension IPTablesBackend {
    /// If more ports than this have a ``PortRule/twin``, none of them is translated to its twin.
    static let mostTwins = 16

    /// What the kernel should hold for rules. Pure.
    public func render(_ rules: RuleSet) -> RenderedRules { Self.render(rules, families: families) }

    /// What a kernel with these address families should hold for rules. Looks at nothing.
    public static func render(_ rules: RuleSet, families: [AddressFamily]) -> RenderedRules {
        guard !rules.isEmpty else { return RenderedRules(role: nil) }
        guard case .balancer = rules.role else {
            return RenderedRules(role: rules.role, owner: rules.owner)
        }
        let sets = IPSet.all(families)
        let targets = families.map(TargetRule.set)
        let afterTargets = sets.firstIndex { $0.use == .allowed } ?? sets.endIndex
        var result = RenderedRules(
            role: rules.role, owner: rules.owner,
            order: sets[..<afterTargets].map(\.name) + targets + sets[afterTargets...].map(\.name),
            setsWithSinglePorts: Set(sets.filter(\.use.hasPorts).map(\.name)),
            translating: Dictionary(uniqueKeysWithValues: families.map { (TargetRule.set($0), $0) }),
            setsBehindIPVS: Set(sets.filter(\.use.isBehindIPVS).map(\.name)))
        // Each costs a rule that every new connection meets.
        let hasTwins = rules.ports.values.count { $0.twin != nil && !$0.isElsewhere } <= mostTwins
        for family in families {
            var elements = ElementList(family: family)
            for (binding, rule) in rules.ports {
                let target = rule.target ?? (hasTwins ? rule.twin : nil)
                // Where the IPVS services are in the sandbox, it translates the port.
                let isTranslated = !rule.isElsewhere && rule.families.contains(family)
                elements.add(binding, rule, target: isTranslated ? target : nil)
            }
            for (address, mark) in rules.virtualAddresses where address.family == family {
                elements.insert(.virtualAddresses, address: address, value: .mark(mark))
            }
            for path in rules.masqueraded where path.task.family == family {
                elements.insert(.sourceNAT, mark: path.mark, address: path.task)
            }
            for prefix in rules.hairpins.outermost where prefix.family == family {
                for prefix in prefix.ofHash { elements.insert(.hairpins, prefix: prefix) }
            }
            for prefix in rules.insiders.outermost where prefix.family == family {
                for prefix in prefix.ofHash { elements.insert(.insiders, prefix: prefix) }
            }
            for task in rules.tasks where task.family == family { elements.insert(.tasks, address: task) }
            for served in rules.answering where served.task.family == family {
                elements.insert(
                    .answers, transport: served.transport, ports: served.ports, address: served.task)
            }
            result.elements.formUnion(elements.all)
        }
        return result
    }
}

/// The elements for one family. Elements of sets without a family are the same for both.
private struct ElementList {
    let family: AddressFamily
    private(set) var all: Set<SetElement> = []

    init(family: AddressFamily) { self.family = family }

    mutating func insert(
        _ use: IPSet.Use, mark: FirewallMark? = nil, transport: TransportProtocol? = nil,
        ports: ClosedRange<UInt16>? = nil, address: IPAddress? = nil, prefix: IPPrefix? = nil,
        value: SetElement.Value? = nil
    ) {
        all.insert(
            SetElement(
                IPSet(use, family).name, mark: mark, transport: transport, ports: ports, address: address,
                prefix: prefix, value: value))
    }

    mutating func add(_ binding: PortBinding, _ rule: PortRule, target: UInt16?) {
        guard let marked = IPSet.Use.marked(binding.transport),
            let elsewhere = IPSet.Use.elsewhere(binding.transport),
            let restricted = IPSet.Use.restricted(binding.transport),
            binding.address == nil || binding.address?.family == family
        else { return }
        if rule.isElsewhere {
            insert(binding.address == nil ? elsewhere : .elsewhereAt, binding)
        } else {
            insert(binding.address == nil ? marked : .markedAt, binding, value: .mark(rule.mark))
        }
        if let networks = rule.allowed {
            insert(binding.address == nil ? restricted : .restrictedAt, binding)
            for network in networks.outermost where network.family == family {
                for prefix in network.ofHash {
                    insert(
                        binding.address == nil ? .allowed : .allowedAt, transport: binding.transport,
                        ports: binding.ports, address: binding.address, prefix: prefix)
                }
            }
        }
        if let target, target != binding.ports.lowerBound {
            all.insert(
                SetElement(
                    TargetRule.set(family), mark: rule.mark, transport: binding.transport, ports: binding.ports,
                    address: binding.address, value: .port(target)))
        }
    }

    private mutating func insert(_ use: IPSet.Use, _ binding: PortBinding, value: SetElement.Value? = nil) {
        switch use.layout {
        case .port: insert(use, ports: binding.ports, value: value)
        case .networkPort:
            for prefix in IPPrefix.everywhere(family).ofHash {
                insert(use, transport: binding.transport, ports: binding.ports, prefix: prefix, value: value)
            }
        default:
            insert(
                use, transport: binding.transport, ports: binding.ports, address: binding.address, value: value)
        }
    }
}

extension IPSet.Use {
    /// Whether ports are part of the key: the kernel keeps each port as an element of its own.
    fileprivate var hasPorts: Bool {
        switch layout {
        case .port, .networkPort, .addressPort, .addressPortNetwork: true
        case .address, .addressMark, .network, .networkPair: false
        }
    }
}

extension IPSet.Use {
    /// Whether a packet meets the set only after IPVS has forwarded it.
    fileprivate var isBehindIPVS: Bool {
        switch self {
        case .answers, .tasks, .hairpins, .sourceNAT: true
        default: false
        }
    }
}

extension IPPrefix {
    /// The network in the form that ipset's hash types take: they refuse the network of all addresses, which is
    /// therefore split into two halves.
    fileprivate var ofHash: [IPPrefix] {
        guard length == 0 else { return [self] }
        let upper = family == .ipv4 ? IPAddress(ipv4: 1 << 31) : IPAddress(ipv6: 1 << 127)
        return [IPPrefix(address, length: 1), IPPrefix(upper, length: 1)]
    }
}
