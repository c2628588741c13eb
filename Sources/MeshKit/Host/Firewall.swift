package import IPVSKit
package import RuleKit

/// Predicts what rules of other programs do to the mesh's packets.
///
/// Every chain that the kernel calls at a hook is followed, whoever made it: an accept in one chain does not override a
/// drop in another. Properties that are not known of a packet, such as its sender or its interface, are left open.
package struct Firewall: Sendable {
    /// The fate of a packet.
    package enum Verdict: Hashable, Sendable {
        /// Nothing drops it.
        case accepted
        /// Every such packet is dropped or rejected.
        case dropped(by: HostRuleSite)
        /// A program decides about the packet, or answers it in place of the node.
        case undecided(by: HostRuleSite)
        /// The fate depends on a rule that asks for a property which was left open.
        ///
        /// - Parameter otherwiseDropped: whether a packet is dropped if the rule does not match. If so, the rule lets
        ///   some packets through; otherwise it may keep some from coming through.
        case depends(on: HostRuleSite, otherwiseDropped: Bool)
    }

    /// A change to a packet that continues, after which it does not arrive where it should.
    package struct Influence: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// conntrack does not track the packet.
            case untracked
            /// The packet's addresses or ports are rewritten, so that it no longer belongs to the published port.
            case rewritten
            /// Another mark replaces ours.
            case remarked
            /// A flowtable carries the rest of the connection past all rules and past IPVS.
            case offloaded
        }

        package var kind: Kind
        package var rule: HostRuleSite
        /// The rule that decides whether the packet is changed; nil if every packet is changed.
        package var condition: HostRuleSite?
        /// The commands that end the influence.
        package var advice: [String]
    }

    /// A verdict, and the commands that would improve it.
    package struct Answer: Hashable, Sendable {
        /// The worst verdict of all chains.
        package var verdict: Verdict
        /// The commands that let the packets through, if they are dropped. All of them are needed.
        package var advice: [String]
        /// The changes that are made to packets on their way.
        package var influences: [Influence] = []
        /// The rules that choose the zone in which conntrack looks for the connection, in the order in which a packet
        /// meets them.
        var zonings: [Zoning] = []
        /// The rules that may drop some of the packets, one of each chain.
        package var exceptions: [HostRuleSite] = []
        /// The rules that hide the client's address from tasks that are to see it, and whether each hides that of every
        /// client.
        var hidings: [HostRuleSite: Bool] = [:]

        package init(verdict: Verdict, advice: [String]) {
            self.verdict = verdict
            self.advice = advice
        }
    }

    private let rules: HostRules

    package init(_ rules: HostRules) { self.rules = rules }

    /// Whether other hosts can reach a published port. Before IPVS, its packets meet ingress, PREROUTING and INPUT.
    ///
    /// - Parameters:
    ///   - ports: the published ports. The answer is that for the worst of them.
    ///   - translated: the ports after our rules have translated them; nil if they are the same.
    ///   - addresses: the addresses at which the ports are published: all of the node's own, or a single one.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - families: the address families in which the port is balanced.
    ///   - mark: the mark that our rules set.
    /// - Returns: nil if the rules are not known.
    package func answer(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, translated: ClosedRange<UInt16>? = nil,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [],
        families: Set<AddressFamily> = Set(AddressFamily.allCases), mark: UInt32? = nil
    ) async -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated ?? ports, addresses: addresses, allowed: allowed,
            mark: mark)
        var parts = families.sorted().flatMap { PacketWay.arriving(listening, $0) }
        let resolved = addresses.filter { $0.family == .ipv4 && !$0.isLoopback }
        if families.contains(.ipv4), !resolved.isEmpty { parts += PacketWay.resolving(own: resolved, others: nil) }
        return await answer(
            parts,
            advice: { site, part in
                FirewallAdvice(rules: rules).opening(
                    site, transport, part.ports ?? ports,
                    to: allowed.filter { $0.family == part.packet.family },
                    areTranslated: part.packet.isDestinationTranslated == true)
            })
    }

    /// Whether packets that IPVS sends reach a task. They pass OUTPUT and POSTROUTING.
    ///
    /// - Parameters:
    ///   - isTranslated: whether our rules have translated the port to which the client connected.
    ///   - showsClient: whether the task is to see the client's address.
    ///   - interface: the name of the interface that leads to the task; nil if it is not known.
    ///   - own: the node's addresses; nil if they are not known.
    package func answer(
        sendingTo task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>,
        isTranslated: Bool = false, showsClient: Bool = false, mark: UInt32? = nil, by interface: String? = nil,
        from own: Set<IPAddress>? = nil
    ) async -> Answer? {
        await answer(
            PacketWay.sent(
                to: task, transport, ports: ports, isTranslated: isTranslated, showsClient: showsClient, mark: mark,
                by: interface.map(Packet.Interface.named) ?? .unknown)
                + (task.family == .ipv4 ? PacketWay.resolving(own: own, others: [task]) : []),
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingThrough(site, to: task, transport, ports)
            })
    }

    /// Whether the replies of a task pass the node. They meet PREROUTING and FORWARD.
    ///
    /// - Parameters:
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - interface: the name of the interface that leads to the task; nil if it is not known.
    ///   - hasClients: whether clients may also be behind that interface.
    ///   - isLetThrough: whether our own rules accept the replies at the head of iptables' filter FORWARD.
    package func answer(
        repliesOf task: IPAddress, _ transport: TransportProtocol, port: UInt16, allowed: [IPPrefix] = [],
        by interface: String? = nil, hasClients: Bool = true, isLetThrough: Bool = false
    ) async -> Answer? {
        let way = interface.map(Packet.Interface.named) ?? .unknown
        let clients = interface.flatMap { hasClients ? nil : Packet.Interface.other(than: $0) } ?? .unknown
        let parts = PacketWay.replied(by: task, transport, port: port, allowed: allowed, (way, clients))
        return await answer(parts) { base, table in
            isLetThrough && Self.isFilterForward(base, of: table)
        } advice: { site, part in
            FirewallAdvice(rules: rules).lettingThrough(site, repliesOf: task, areTracked: part.packet.isTracked)
        }
    }

    /// Whether replies leave the node after IPVS has translated their source to the node's address.
    package func answer(
        repliesFrom ports: ClosedRange<UInt16>, _ transport: TransportProtocol, translated: ClosedRange<UInt16>,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [], families: Set<AddressFamily>
    ) async -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated, addresses: addresses, allowed: allowed)
        return await answer(
            families.sorted().flatMap { PacketWay.returning(listening, $0) },
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingOut(site)
            })
    }

    /// Whether packets of clients come through to the sandbox, which balances them. They pass PREROUTING, where our rules
    /// make the sandbox their destination, and FORWARD. What our own rules accept at the head of iptables' filter FORWARD
    /// is taken for let through.
    func answer(forwardingTo sandbox: PacketWay.Sandbox, _ listening: PacketWay.Listening) async -> Answer? {
        var parts = PacketWay.forwarded(to: sandbox, listening)
        let resolved = listening.addresses.filter { $0.family == .ipv4 && !$0.isLoopback }
        if sandbox.address.family == .ipv4, !resolved.isEmpty {
            parts += PacketWay.resolving(own: resolved, others: nil)
        }
        return await answer(parts, besides: Self.isFilterForward) { site, part in
            let hasLeft = part.packet.isForNode == false && part.packet.hook != .prerouting
            return hasLeft
                ? FirewallAdvice(rules: rules).lettingThrough(site, by: sandbox.interface)
                : FirewallAdvice(rules: rules).opening(
                    site, listening.transport, listening.ports,
                    to: listening.allowed.filter { $0.family == part.packet.family })
        }
    }

    /// Whether the replies of the sandbox come through to clients. They pass FORWARD, and conntrack puts the published
    /// address in the place of the sandbox's behind that.
    func answer(repliesOf sandbox: PacketWay.Sandbox, _ listening: PacketWay.Listening) async -> Answer? {
        await answer(PacketWay.replied(by: sandbox, listening), besides: Self.isFilterForward) { site, part in
            part.packet.sources == [sandbox.address...sandbox.address]
                ? FirewallAdvice(rules: rules).lettingThrough(
                    site, repliesOf: sandbox.address, areTracked: part.packet.isTracked)
                : FirewallAdvice(rules: rules).lettingOut(site)
        }
    }

    /// Whether connections between two other hosts pass the node, so that it forwards for everybody once it forwards at
    /// all. True if the rules are not known.
    package func forwardsForOthers(_ family: AddressFamily) async -> Bool {
        await answer(PacketWay.passing(family), advice: { _, _ in [] })?.verdict.dropping == nil
    }

    private static func isFilterForward(_ base: RuleTable.BaseChain, of table: RuleTable) -> Bool {
        base.name == "FORWARD" && base.priority == 0 && ["filter", "ip filter", "ip6 filter"].contains(table.name)
    }

    private func answer(
        _ parts: [PacketWay.Part], besides isOurs: (RuleTable.BaseChain, RuleTable) -> Bool = { _, _ in false },
        advice: (HostRuleSite, PacketWay.Part) -> [String]
    ) async -> Answer? {
        guard parts.contains(where: { rules.areKnown(for: $0.packet.family) }) else { return nil }
        var answer = Answer(verdict: .accepted, advice: [])
        for table in rules.tables {
            for part in parts where table.families.contains(part.packet.family) {
                for base in table.bases where part.meets(base, of: table) && !isOurs(base, table) {
                    for packet in await part.packets(toldApartBy: table, in: rules) {
                        ask(packet, from: base, in: table, &answer) { site in
                            packet.isARP
                                ? FirewallAdvice(rules: rules).lettingNeighboursBeFound(site) : advice(site, part)
                        }
                    }
                }
            }
        }
        return answer
    }

    private func ask(
        _ packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable, _ answer: inout Answer,
        advice: (HostRuleSite) -> [String]
    ) {
        let walk = ChainWalk.walk(packet, from: base, in: table)
        var verdict = Self.verdict(walk.endings, from: base, in: table)
        let isForAll = base.devices.isEmpty || packet.device != nil
        let device = isForAll ? nil : HostRuleSite(base, in: table, .line(Self.text(base.devices)))
        if device != nil, let rule = verdict.rule {
            // Packets of other interfaces do not meet the chain.
            verdict = .depends(
                on: HostRuleSite(base, in: table, .line("\(rule.text), \(Self.text(base.devices))")),
                otherwiseDropped: false)
        }
        if verdict.severity > answer.verdict.severity { answer.verdict = verdict }
        if case .depends(let site, otherwiseDropped: false) = verdict, !answer.exceptions.contains(site) {
            answer.exceptions.append(site)
        }
        if packet.showsClient, packet.hook == .postrouting,
            let plain = walk.endings.first(where: { $0.cause == nil }), plain.end.translatesSource
        {
            answer.hidings[HostRuleSite(base, in: table, plain.rule)] = walk.endings.allSatisfy(\.end.translatesSource)
        }
        for line in verdict.dropping.map(advice) ?? [] where !answer.advice.contains(line) {
            answer.advice.append(line)
        }
        for influence in walk.influences {
            let rule = HostRuleSite(base, in: table, influence.rule)
            var condition = influence.cause.map { HostRuleSite(base, in: table, $0.rule, set: $0.set) } ?? device
            if case .zoned(let zone) = influence.effect, packet.isLookedUpInZone, table.layer == .network {
                answer.zonings.append(
                    Zoning(
                        zone: zone, family: packet.family, rule: rule, condition: condition, priority: base.priority,
                        advice: advice(rule)))
            }
            guard let kind = influence.effect.kind(for: packet) else { continue }
            // The new mark is not known, so the rule itself is the condition.
            if condition == nil, !kind.isCertain { condition = rule }
            let isSeen = answer.influences.contains { $0.kind == kind.kind && $0.rule == rule }
            guard !isSeen else { continue }
            // Our own mark is set in the mangle table of iptables, too. A rule that accepts packets at the head of that
            // chain would keep our mark from them.
            let lines = kind.kind == .remarked && table.name.hasSuffix("mangle") ? [] : advice(rule)
            answer.influences.append(
                Influence(kind: kind.kind, rule: rule, condition: condition, advice: lines))
        }
    }

    private static func text(_ devices: [String]) -> String { "on \(devices.joined(separator: ", "))" }

    private static func verdict(
        _ endings: [ChainWalk.Ending], from base: RuleTable.BaseChain, in table: RuleTable
    ) -> Verdict {
        guard let plain = endings.first(where: { $0.cause == nil }) else { return .accepted }
        if plain.end == .undecided { return .undecided(by: HostRuleSite(base, in: table, plain.rule)) }
        let drops = plain.end == .drop
        let other = endings.first { $0.cause != nil && ($0.end == .undecided || ($0.end == .drop) != drops) }
        if let other {
            return .depends(
                on: HostRuleSite(base, in: table, other.cause?.rule ?? other.rule, set: other.cause?.set),
                otherwiseDropped: drops)
        }
        return drops ? .dropped(by: HostRuleSite(base, in: table, plain.rule)) : .accepted
    }
}

extension PacketWay.Part {
    /// One packet for each group of ports that the table's rules treat alike.
    func packets(toldApartBy table: RuleTable, in rules: HostRules) async -> [Packet] {
        var packet = packet
        packet.interfaces = rules.interfaces
        packet.connectionMark = rules.connectionMark
        var packets = [packet]
        if let ports {
            packets = table.representatives(of: ports).sorted().map { port in
                packet.destinationPort = port
                return packet
            }
        }
        guard let sets = rules.sets else { return packets }
        for index in packets.indices { packets[index].sets = await sets.answers(for: packets[index], in: table) }
        return packets
    }
}

extension Packet {
    /// Whether conntrack looks up the packet's connection after this hook.
    fileprivate var isLookedUpInZone: Bool { hook == .prerouting && !isTracked }
}

extension HostRule.End {
    /// Whether a rule in POSTROUTING replaces the source address, as NETMAP does there, too.
    fileprivate var translatesSource: Bool {
        switch self {
        case .translateSource, .translate: true
        case .accept, .drop, .undecided: false
        }
    }
}

extension HostRule.Effect {
    /// The influence that the effect has on one of our packets; nil if it has none.
    fileprivate func kind(for packet: Packet) -> (kind: Firewall.Influence.Kind, isCertain: Bool)? {
        switch self {
        // A connection that conntrack tracks already stays tracked.
        case .untracked: packet.isTracked ? nil : (.untracked, true)
        // Before our rules set the mark, any other mark does no harm. After IPVS has seen the packet, the mark is not
        // used again.
        case .remarked(let change):
            packet.mark.flatMap {
                packet.isFoundByMark ? change.changes($0, ofConnection: packet.connectionMark) : .no
            }
            .flatMap { $0 == .no ? nil : (.remarked, $0 == .yes) }
        // A flowtable knows conntrack's translations, but not those of IPVS.
        case .offloaded: packet.meetsIPVS ? (.offloaded, true) : nil
        case .zoned, .connectionMarked: nil
        case .rewritten: (.rewritten, true)
        }
    }
}

extension Firewall.Verdict {
    fileprivate var severity: Int {
        switch self {
        case .accepted: 0
        case .depends(_, otherwiseDropped: false): 1
        case .undecided: 2
        case .depends(_, otherwiseDropped: true): 3
        case .dropped: 4
        }
    }

    fileprivate var rule: HostRuleSite? {
        switch self {
        case .dropped(let site), .undecided(let site), .depends(let site, _): site
        case .accepted: nil
        }
    }

    /// The rule to change, if it drops all packets or most of them.
    fileprivate var dropping: HostRuleSite? {
        switch self {
        case .dropped(let site), .depends(let site, otherwiseDropped: true): site
        case .accepted, .undecided, .depends(_, otherwiseDropped: false): nil
        }
    }
}

extension HostRuleSite {
    init(_ base: RuleTable.BaseChain, in table: RuleTable, _ text: RuleText, set: String? = nil) {
        self.init(tool: table.tool, table: table.name, baseChain: base.name, text: text.description, set: set)
    }
}
