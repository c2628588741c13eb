import IPVSKit

/// A rule that says in which zone conntrack looks for the connection of a packet, before it does.
struct Zoning: Hashable, Sendable {
    var zone: ConntrackZone
    var family: AddressFamily
    var rule: HostRuleSite
    /// Nil where it concerns every packet; otherwise the rule that decides.
    var condition: HostRuleSite?
    var priority: Int
    /// Lines to type that keep packets from it.
    var advice: [String]
}

/// Zones in which packets of two directions do not find each other: a reply is looked up in the zone that it gets itself.
struct ZoneMismatch: Hashable, Sendable {
    var arriving: Zones
    var replies: Zones

    /// Nil where both directions are in one zone, whatever its number.
    ///
    /// - Parameters:
    ///   - arriving: of packets from clients.
    ///   - replies: of what a task answers.
    init?(_ arriving: [Zoning], _ replies: [Zoning], _ family: AddressFamily) {
        self.arriving = Zones(arriving.filter { $0.family == family })
        self.replies = Zones(replies.filter { $0.family == family })
        if let number = self.arriving.certain, number == self.replies.certain { return nil }
    }

    /// The rules that make the difference.
    var zonings: [Zoning] { arriving.zonings + replies.zonings }

    /// The zones that packets of one direction may be in.
    struct Zones: Hashable, Sendable {
        /// The rules that decide it.
        var zonings: [Zoning] = []
        /// The number of the only one; 0 is that of packets which no rule puts elsewhere.
        var certain: UInt16?

        /// The first rule that matches is the one that counts.
        init(_ found: [Zoning]) {
            var numbers: Set<UInt16?> = []
            for zoning in found.enumerated().sorted(by: {
                ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset)
            }).map(\.element) {
                zonings.append(zoning)
                numbers.insert(zoning.zone.isForReplies ? zoning.zone.number : 0)
                if zoning.condition == nil { break }
            }
            if zonings.last?.condition != nil || zonings.isEmpty { numbers.insert(0) }
            certain = numbers.count == 1 ? numbers.first! : nil
        }
    }
}
