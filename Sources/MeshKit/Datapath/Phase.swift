/// The time at which a step of a plan is taken, relative to the steps of all places.
public enum Phase: Int, Sendable, Hashable, CaseIterable, Comparable {
    case clearing
    case namespaces, links, settings, raising, routing, timeouts, hairpins, rulesBehind, services, rules, claiming
    case withdrawingRules, withdrawingServices, withdrawingRulesBehind, withdrawingHairpins, withdrawingRouting
    case lowering
    case leavingNamespaces, formerRules, restoring, flows

    /// The order in which the places take their steps of a phase.
    enum Direction: Sendable {
        /// The place that a packet meets last comes first: whatever is put up leads only to parts that already stand.
        case up
        /// The place that a packet meets first comes first: nothing leads to a part any more when it is taken down.
        case down
    }

    /// The consequence if the kernel refuses a step.
    enum Cost: Sendable {
        /// The pass ends, unless the step serves an optional place: then the mesh does without that place.
        case pass
        /// The plan gets a note and the pass continues: the step was helpful, not necessary.
        case note
    }

    /// One line of the table of phases.
    struct Entry: Sendable {
        var phase: Phase
        var direction: Direction
        var refusal: Cost
        /// The reason for the position of the phase.
        var reason: String
    }

    /// The phases in the order of a plan, with the cost of a refusal and the reason for each position.
    static let order: [Entry] = [
        Entry(
            phase: .clearing, direction: .down, refusal: .pass,
            reason: "What is in the way by name or address has to go before its successor can be made."),
        Entry(
            phase: .namespaces, direction: .up, refusal: .pass,
            reason: "All else of a place is put into its namespace."),
        Entry(
            phase: .links, direction: .up, refusal: .pass,
            reason: "Settings of an interface exist once the interface does."),
        Entry(
            phase: .settings, direction: .up, refusal: .pass,
            reason:
                "A setting must hold before the first packet: an interface is raised without IPv6 addresses only if "
                + "it was told so before."),
        Entry(
            phase: .raising, direction: .up, refusal: .pass,
            reason: "The rules send packets by an interface, which must be up by then."),
        Entry(
            phase: .routing, direction: .up, refusal: .pass,
            reason:
                "A routing rule leads to a table, whose routes were made with their interface. Without the rule, the "
                + "reply to a client would leave by another node."),
        Entry(
            phase: .timeouts, direction: .up, refusal: .pass,
            reason: "A connection gets the timeout that is set when it becomes established."),
        Entry(
            phase: .hairpins, direction: .up, refusal: .note,
            reason:
                "A bridge must turn a task's packets back before the task is balanced onto itself. Other clients do "
                + "not need it."),
        Entry(
            phase: .rulesBehind, direction: .up, refusal: .pass,
            reason:
                "A connection that is not masqueraded, or whose port is not translated, from its beginning never is: "
                + "this stands before its destination does."),
        Entry(
            phase: .services, direction: .up, refusal: .pass,
            reason: "A mark without a service would leave the packet to a program of the node's own."),
        Entry(
            phase: .rules, direction: .up, refusal: .pass,
            reason: "The mark is what lets clients in; all behind it is up by now."),
        Entry(
            phase: .claiming, direction: .up, refusal: .note,
            reason: "The rules stand and can say whose they are, which keeps another state folder from taking them."),
        Entry(
            phase: .withdrawingRules, direction: .down, refusal: .pass,
            reason: "Clients are kept out first."),
        Entry(
            phase: .withdrawingServices, direction: .down, refusal: .pass,
            reason: "Nothing is marked for them any more."),
        Entry(
            phase: .withdrawingRulesBehind, direction: .down, refusal: .pass,
            reason: "IPVS sends no more packets that these are for."),
        Entry(
            phase: .withdrawingHairpins, direction: .down, refusal: .note,
            reason: "No task is balanced onto itself any more."),
        Entry(
            phase: .withdrawingRouting, direction: .down, refusal: .pass,
            reason: "No rule marks packets for these routes any more."),
        Entry(
            phase: .lowering, direction: .down, refusal: .pass,
            reason: "No rule sends a packet by these interfaces any more."),
        Entry(
            phase: .leavingNamespaces, direction: .down, refusal: .pass,
            reason: "All that is left in a namespace of ours goes with it."),
        Entry(
            phase: .formerRules, direction: .down, refusal: .pass,
            reason: "The rules of the tool in use carry all by now, so that the former tool's can go."),
        Entry(
            phase: .restoring, direction: .down, refusal: .note,
            reason: "Nothing of ours needs the settings any more."),
        Entry(
            phase: .flows, direction: .down, refusal: .pass,
            reason: "A flow that is forgotten while the old path stands would be remembered again."),
    ]

    private static let entries: [Phase: Entry] = Dictionary(uniqueKeysWithValues: order.map { ($0.phase, $0) })
    private static let positions: [Phase: Int] = Dictionary(
        uniqueKeysWithValues: order.enumerated().map { ($1.phase, $0) })

    var direction: Direction { Self.entries[self]!.direction }
    var refusal: Cost { Self.entries[self]!.refusal }

    /// The phase that is taken earlier is less.
    public static func < (lhs: Self, rhs: Self) -> Bool { positions[lhs]! < positions[rhs]! }
}
