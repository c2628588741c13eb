import IPVSKit

/// A rule that chooses the zone in which conntrack will look for the connection of a packet.
struct Zoning: Hashable, Sendable {
    var zone: ConntrackZone
    var family: AddressFamily
    var rule: HostRuleSite
    /// The rule that decides whether the packet is concerned; nil if every packet is.
    var condition: HostRuleSite?
    var priority: Int
    /// The commands that keep packets from the rule.
    var advice: [String]
}

/// A mismatch of conntrack zones: replies are looked up in another zone than the packets that they answer, so that
/// conntrack does not find their connection.
struct ZoneMismatch: Hashable, Sendable {
    var arriving: Zones
    var replies: Zones

    /// Nil if both directions are in one zone, whatever its number.
    ///
    /// - Parameters:
    ///   - arriving: the zone rules that packets from clients meet.
    ///   - replies: the zone rules that replies of a task meet.
    init?(_ arriving: [Zoning], _ replies: [Zoning], _ family: AddressFamily) {
        self.arriving = Zones(arriving.filter { $0.family == family })
        self.replies = Zones(replies.filter { $0.family == family })
        if let number = self.arriving.certain, number == self.replies.certain { return nil }
    }

    /// The rules of both directions.
    var zonings: [Zoning] { arriving.zonings + replies.zonings }

    /// The zones that packets of one direction may be in.
    struct Zones: Hashable, Sendable {
        /// The rules that decide about the zone.
        var zonings: [Zoning] = []
        /// The number of the only possible zone; nil if several are possible. Zone 0 has the packets that no rule puts
        /// elsewhere.
        var certain: UInt16?

        /// The first matching rule counts.
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
