extension Firewall {
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
            /// The packet is accepted before it comes to our own rules.
            case acceptedFirst
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
}

extension Firewall.Verdict {
    var severity: Int {
        switch self {
        case .accepted: 0
        case .depends(_, otherwiseDropped: false): 1
        case .undecided: 2
        case .depends(_, otherwiseDropped: true): 3
        case .dropped: 4
        }
    }

    var rule: HostRuleSite? {
        switch self {
        case .dropped(let site), .undecided(let site), .depends(let site, _): site
        case .accepted: nil
        }
    }

    /// The rule to change, if it drops all packets or most of them.
    var dropping: HostRuleSite? {
        switch self {
        case .dropped(let site), .depends(let site, otherwiseDropped: true): site
        case .accepted, .undecided, .depends(_, otherwiseDropped: false): nil
        }
    }
}
