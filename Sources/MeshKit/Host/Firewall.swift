package import IPVSKit

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
        /// A rule asks for something that was left open.
        ///
        /// - Parameter otherwiseDropped: where no such rule matches, it is dropped. So that rule lets some packets
        ///   through; otherwise it keeps some from coming through.
        case depends(on: HostRuleSite, otherwiseDropped: Bool)
    }

    /// A verdict, and what would make it better.
    package struct Answer: Hashable, Sendable {
        package var verdict: Verdict
        /// Lines to type, where packets are dropped. All of them are needed.
        package var advice: [String]

        package init(verdict: Verdict, advice: [String]) {
            self.verdict = verdict
            self.advice = advice
        }
    }

    private let rules: HostRules

    package init(_ rules: HostRules) { self.rules = rules }

    /// Whether other hosts can reach a published port: INPUT meets its packets before IPVS does.
    ///
    /// - Parameters:
    ///   - ports: the worst of them counts.
    ///   - addresses: those that the ports are published on: the node's own, or the one they are bound to.
    ///   - families: those in which the port is balanced.
    /// - Returns: nil where it cannot be told.
    package func answer(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, at addresses: Set<IPAddress>,
        families: Set<AddressFamily> = Set(AddressFamily.allCases)
    ) -> Answer? {
        answer(families.filter { family in addresses.contains { $0.family == family && !$0.isLoopback } }) {
            family, table in
            // What other hosts send does not come to loopback addresses.
            let destinations = addresses.filter { $0.family == family && !$0.isLoopback }
            return table.representatives(of: ports).sorted().map { port in
                Packet(
                    hook: .input, family: family, transport: transport, destinationPort: port,
                    destinations: destinations, state: .new)
            }
        } advice: {
            FirewallAdvice(rules: rules).opening($0, transport, ports)
        }
    }

    /// Whether the replies of a task behind this node cross it: FORWARD meets them.
    package func answer(
        repliesOf task: IPAddress, _ transport: TransportProtocol, port: UInt16
    ) -> Answer? {
        answer([task.family]) { family, _ in
            [
                Packet(
                    hook: .forward, family: family, transport: transport, sourcePort: port, sources: [task],
                    state: .reply)
            ]
        } advice: {
            FirewallAdvice(rules: rules).lettingThrough($0, repliesOf: task)
        }
    }

    /// Whether a connection from one other host to another, of whatever kind, comes through: the node forwards for
    /// everybody then, once it forwards at all. True where it cannot be told.
    package func forwardsForOthers(_ family: AddressFamily) -> Bool {
        let answer = answer([family]) { family, _ in
            [Packet(hook: .forward, family: family, transport: .tcp, state: .new)]
        } advice: { _ in
            []
        }
        return answer?.verdict.dropping == nil
    }

    private func answer(
        _ families: Set<AddressFamily>, _ packets: (AddressFamily, RuleTable) -> [Packet],
        advice: (HostRuleSite) -> [String]
    ) -> Answer? {
        guard families.contains(where: rules.areKnown) else { return nil }
        var worst = Verdict.accepted
        var lines: [String] = []
        for table in rules.tables {
            for family in families.intersection(table.families).sorted() {
                for packet in packets(family, table) {
                    for base in table.bases where !base.isNAT && base.hook == packet.hook.rawValue {
                        let verdict = verdict(of: packet, from: base, in: table)
                        if verdict.severity > worst.severity { worst = verdict }
                        for line in verdict.dropping.map(advice) ?? [] where !lines.contains(line) {
                            lines.append(line)
                        }
                    }
                }
            }
        }
        return Answer(verdict: worst, advice: lines)
    }

    private func verdict(of packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable) -> Verdict {
        func site(_ text: String) -> HostRuleSite {
            HostRuleSite(tool: table.tool, table: table.name, baseChain: base.name, text: text)
        }
        let endings = ChainWalk.endings(of: packet, from: base, in: table)
        guard let plain = endings.first(where: { $0.cause == nil }) else { return .accepted }
        if plain.end == .undecided { return .depends(on: site(plain.rule), otherwiseDropped: true) }
        let drops = plain.end == .drop
        let other = endings.first { $0.cause != nil && ($0.end == .undecided || ($0.end == .drop) != drops) }
        if let other { return .depends(on: site(other.cause ?? other.rule), otherwiseDropped: drops) }
        return drops ? .dropped(by: site(plain.rule)) : .accepted
    }
}

extension Firewall.Verdict {
    fileprivate var severity: Int {
        switch self {
        case .accepted: 0
        case .depends(_, otherwiseDropped: false): 1
        case .depends(_, otherwiseDropped: true): 2
        case .dropped: 3
        }
    }

    /// The rule to do something about, where packets are dropped, or most of them.
    fileprivate var dropping: HostRuleSite? {
        switch self {
        case .dropped(let site), .depends(let site, otherwiseDropped: true): site
        case .accepted, .depends(_, otherwiseDropped: false): nil
        }
    }
}
