import IPVSKit
import RuleKit

/// What chains do to packets.
extension Firewall {
    /// What all chains do that parts of a way meet.
    ///
    /// - Parameter advice: the commands that keep a rule from doing what it does to a part.
    /// - Returns: nil if the rules are not known.
    func answer(
        _ parts: [PacketWay.Part], advice: (HostRuleSite, PacketWay.Part) -> [String]
    ) async -> Answer? {
        guard parts.contains(where: { rules.areKnown(for: $0.packet.family) }) else { return nil }
        var answer = Answer(verdict: .accepted, advice: [])
        for table in rules.tables {
            for part in parts where table.families.contains(part.packet.family) {
                for base in table.bases
                where part.meets(base, of: table) && !isLetThroughFirst(part.packet, from: base, in: table) {
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

    /// Whether our own chain will accept a packet before any other rule does anything: it is not there yet, and the pass
    /// that installs it puts the jump to it first.
    private func isLetThroughFirst(_ packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable) -> Bool {
        guard packet.isLetThrough, base.name == "FORWARD", base.priority == 0,
            ["filter", "ip filter", "ip6 filter"].contains(table.name)
        else { return false }
        return !rules.tables.contains { other in
            other.families.contains(packet.family)
                && other.chains[base.name]?.contains { $0.action == .ours(OwnRules.forwardChain) } == true
        }
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
        for own in packet.ownChains.sorted() {
            note(ChainWalk.accepts(packet, before: own, from: base, in: table), before: own, base, table, &answer)
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

    /// Notes that a packet does not come to one of our own chains.
    private func note(
        _ accepts: [ChainWalk.Ending], before own: String, _ base: RuleTable.BaseChain, _ table: RuleTable,
        _ answer: inout Answer
    ) {
        guard let accept = accepts.first(where: { $0.cause == nil }) ?? accepts.first else { return }
        let rule = HostRuleSite(base, in: table, accept.rule)
        guard !answer.influences.contains(where: { $0.kind == .acceptedFirst && $0.rule == rule }) else { return }
        answer.influences.append(
            Influence(
                kind: .acceptedFirst, rule: rule,
                condition: accept.cause.map { HostRuleSite(base, in: table, $0.rule, set: $0.set) },
                advice: FirewallAdvice(rules: rules).puttingFirst(own, before: rule)))
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
