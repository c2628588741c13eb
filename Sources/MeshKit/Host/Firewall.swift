package import IPVSKit
package import RuleKit

/// What the host's own rules do to the mesh's packets.
///
/// Each chain that the kernel calls at a hook is asked, whoever made it: an accept in one does not override a drop in
/// another. What a packet does not say (who sends it, by which interface it comes) is left open.
package struct Firewall: Sendable {
    /// What becomes of a packet.
    package enum Verdict: Hashable, Sendable {
        /// Nothing drops it.
        case accepted
        /// Dropped or rejected, whatever else is in it.
        case dropped(by: HostRuleSite)
        /// A program decides, or answers in the place of the node.
        case undecided(by: HostRuleSite)
        /// A rule asks for something that was left open.
        ///
        /// - Parameter otherwiseDropped: where no such rule matches, it is dropped. So that rule lets some packets
        ///   through; otherwise it keeps some from coming through.
        case depends(on: HostRuleSite, otherwiseDropped: Bool)
    }

    /// What is done to a packet that goes on, so that it does not get where it should.
    package struct Influence: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// conntrack takes no note of it.
            case untracked
            /// It is not for what was published, or from it, any more.
            case rewritten
            /// Another mark is in the place of ours.
            case remarked
            /// The rest of the connection goes past all rules and past IPVS, by a flowtable.
            case offloaded
        }

        package var kind: Kind
        package var rule: HostRuleSite
        /// Nil where it is done to every packet; otherwise the rule that decides.
        package var condition: HostRuleSite?
        /// Lines to type that end it.
        package var advice: [String]
    }

    /// A verdict, and what would make it better.
    package struct Answer: Hashable, Sendable {
        /// The worst of all.
        package var verdict: Verdict
        /// Lines to type, where packets are dropped. All of them are needed.
        package var advice: [String]
        /// What else is done.
        package var influences: [Influence] = []
        /// The rules that say in which zone conntrack looks for the connection, in the order in which a packet meets them.
        var zonings: [Zoning] = []
        /// The rules that keep some packets from coming through, one of each chain.
        package var exceptions: [HostRuleSite] = []

        package init(verdict: Verdict, advice: [String]) {
            self.verdict = verdict
            self.advice = advice
        }
    }

    private let rules: HostRules

    package init(_ rules: HostRules) { self.rules = rules }

    /// Whether other hosts can reach a published port: its packets meet ingress, PREROUTING and INPUT before IPVS does.
    ///
    /// - Parameters:
    ///   - ports: the worst of them counts.
    ///   - translated: those that our rules make of them; nil for the same.
    ///   - addresses: those that the ports are published on: the node's own, or the one they are bound to.
    ///   - allowed: the networks that clients may come from; none for everywhere.
    ///   - families: those in which the port is balanced.
    ///   - mark: the one that our rules put on.
    /// - Returns: nil where it cannot be told.
    package func answer(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, translated: ClosedRange<UInt16>? = nil,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [],
        families: Set<AddressFamily> = Set(AddressFamily.allCases), mark: UInt32? = nil
    ) -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated ?? ports, addresses: addresses, allowed: allowed,
            mark: mark)
        var parts = families.sorted().flatMap { PacketWay.arriving(listening, $0) }
        let resolved = addresses.filter { $0.family == .ipv4 && !$0.isLoopback }
        if families.contains(.ipv4), !resolved.isEmpty { parts += PacketWay.resolving(own: resolved, others: nil) }
        return answer(
            parts,
            advice: { site, part in
                FirewallAdvice(rules: rules).opening(
                    site, transport, part.ports ?? ports,
                    to: allowed.filter { $0.family == part.packet.family })
            })
    }

    /// Whether what IPVS sends gets to a task: it leaves by OUTPUT and POSTROUTING.
    ///
    /// - Parameters:
    ///   - interface: the name of the one that leads to the task.
    ///   - own: the node's addresses; nil where they are not known.
    package func answer(
        sendingTo task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>, mark: UInt32? = nil,
        by interface: String? = nil, from own: Set<IPAddress>? = nil
    ) -> Answer? {
        answer(
            PacketWay.sent(
                to: task, transport, ports: ports, mark: mark, by: interface.map(Packet.Interface.named) ?? .unknown)
                + (task.family == .ipv4 ? PacketWay.resolving(own: own, others: [task]) : []),
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingThrough(site, to: task, transport, ports)
            })
    }

    /// Whether the replies of a task behind this node cross it: PREROUTING and FORWARD meet them.
    ///
    /// - Parameters:
    ///   - allowed: the networks that clients may come from; none for everywhere.
    ///   - interface: the name of the one that leads to the task.
    ///   - hasClients: whether clients may be behind that interface, too.
    ///   - isLetThrough: whether our own rules do so at the head of iptables' filter FORWARD.
    package func answer(
        repliesOf task: IPAddress, _ transport: TransportProtocol, port: UInt16, allowed: [IPPrefix] = [],
        by interface: String? = nil, hasClients: Bool = true, isLetThrough: Bool = false
    ) -> Answer? {
        let way = interface.map(Packet.Interface.named) ?? .unknown
        let clients = interface.flatMap { hasClients ? nil : Packet.Interface.other(than: $0) } ?? .unknown
        let parts = PacketWay.replied(by: task, transport, port: port, allowed: allowed, (way, clients))
        return answer(parts) { base, table in
            isLetThrough && Self.isFilterForward(base, of: table)
        } advice: { site, part in
            FirewallAdvice(rules: rules).lettingThrough(site, repliesOf: task, areTracked: part.packet.isTracked)
        }
    }

    /// Whether replies leave the node again, once they have its address.
    package func answer(
        repliesFrom ports: ClosedRange<UInt16>, _ transport: TransportProtocol, translated: ClosedRange<UInt16>,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [], families: Set<AddressFamily>
    ) -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated, addresses: addresses, allowed: allowed)
        return answer(
            families.sorted().flatMap { PacketWay.returning(listening, $0) },
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingOut(site)
            })
    }

    /// Whether a connection from one other host to another, of whatever kind, comes through: the node forwards for
    /// everybody then, once it forwards at all. True where it cannot be told.
    package func forwardsForOthers(_ family: AddressFamily) -> Bool {
        answer(PacketWay.passing(family), advice: { _, _ in [] })?.verdict.dropping == nil
    }

    private static func isFilterForward(_ base: RuleTable.BaseChain, of table: RuleTable) -> Bool {
        base.name == "FORWARD" && base.priority == 0 && ["filter", "ip filter", "ip6 filter"].contains(table.name)
    }

    private func answer(
        _ parts: [PacketWay.Part], besides isOurs: (RuleTable.BaseChain, RuleTable) -> Bool = { _, _ in false },
        advice: (HostRuleSite, PacketWay.Part) -> [String]
    ) -> Answer? {
        guard parts.contains(where: { rules.areKnown(for: $0.packet.family) }) else { return nil }
        var answer = Answer(verdict: .accepted, advice: [])
        for table in rules.tables {
            for part in parts where table.families.contains(part.packet.family) {
                for base in table.bases where part.meets(base, of: table) && !isOurs(base, table) {
                    for packet in part.packets(toldApartBy: table, in: rules) {
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
        let device = base.devices.isEmpty ? nil : HostRuleSite(base, in: table, .line(Self.text(base.devices)))
        if device != nil, let rule = verdict.rule {
            // Who comes by another interface does not meet it.
            verdict = .depends(
                on: HostRuleSite(base, in: table, .line("\(rule.text), \(Self.text(base.devices))")),
                otherwiseDropped: false)
        }
        if verdict.severity > answer.verdict.severity { answer.verdict = verdict }
        if case .depends(let site, otherwiseDropped: false) = verdict, !answer.exceptions.contains(site) {
            answer.exceptions.append(site)
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
            // What is put in the place of the mark is not known.
            if condition == nil, !kind.isCertain { condition = rule }
            let isSeen = answer.influences.contains { $0.kind == kind.kind && $0.rule == rule }
            guard !isSeen else { continue }
            // Where marks are set by iptables ours is among them, and a packet let off there would have none.
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
    /// One packet for each part of the ports that the rules of a table tell apart.
    func packets(toldApartBy table: RuleTable, in rules: HostRules) -> [Packet] {
        var packet = packet
        packet.sets = rules.sets
        packet.interfaces = rules.interfaces
        packet.connectionMark = rules.connectionMark
        guard let ports else { return [packet] }
        return table.representatives(of: ports).sorted().map { port in
            packet.destinationPort = port
            return packet
        }
    }
}

extension Packet {
    /// Whether conntrack looks for its connection later on.
    fileprivate var isLookedUpInZone: Bool { hook == .prerouting && !isTracked }
}

extension HostRule.Effect {
    /// What it means for a packet of ours; nil where it means nothing.
    fileprivate func kind(for packet: Packet) -> (kind: Firewall.Influence.Kind, isCertain: Bool)? {
        switch self {
        // What conntrack has taken note of stays noted.
        case .untracked: packet.isTracked ? nil : (.untracked, true)
        // Before ours, any mark goes; and IPVS does not look at one twice.
        case .remarked(let change):
            packet.mark.flatMap {
                packet.isForNode == true ? change.changes($0, ofConnection: packet.connectionMark) : .no
            }
            .flatMap { $0 == .no ? nil : (.remarked, $0 == .yes) }
        case .offloaded: (.offloaded, true)
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

    /// The rule to do something about, where packets are dropped, or most of them.
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
