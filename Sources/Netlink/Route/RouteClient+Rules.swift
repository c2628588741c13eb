import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A routing rule by firewall mark: `ip rule add fwmark MARK lookup TABLE`.
package struct MarkRule: Hashable, Sendable {
    /// `AF_INET` or `AF_INET6`.
    package var family: UInt8
    package var mark: UInt32
    package var table: UInt32
    /// The rule's place among the rules: lower ones are asked first.
    package var priority: UInt32
    /// Who made the rule (`FRA_PROTOCOL`).
    package var origin: UInt8

    package init(family: UInt8, mark: UInt32, table: UInt32, priority: UInt32, origin: UInt8) {
        self.family = family
        self.mark = mark
        self.table = table
        self.priority = priority
        self.origin = origin
    }
}

extension RouteClient {
    /// The routing rules of the namespace that look a firewall mark up in a table, of IPv4 and IPv6.
    package func markRules() async throws(NetlinkError) -> [MarkRule] {
        try await rules(UInt8(AF_INET)) { MarkRule.parsing($0) }
            + rules(UInt8(AF_INET6)) { MarkRule.parsing($0) }
    }

    /// The routing rules of a family that are of a kind, in the order in which the kernel asks them. A kernel without IPv6
    /// has no rules of it.
    ///
    /// - Parameter parse: converts a rule; nil if the message is truncated, and a value of nil to leave the rule out.
    func rules<Rule>(
        _ family: UInt8, parse: @escaping (NetlinkMessage) -> Rule??
    ) async throws(NetlinkError) -> [Rule] {
        var header = fib_rule_hdr()
        header.family = family
        do throws(NetlinkError) {
            return try await list(Int(RTM_GETRULE), header: header) { parse($0) }.compactMap { $0 }
        } catch {
            guard error.errno == .addressFamilyNotSupported || error.errno == .notSupportedOnSocket else {
                throw error
            }
            return []
        }
    }

    package func add(_ rule: MarkRule) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.exclusive
        try await perform(Int(RTM_NEWRULE), flags: flags, header: rule.header) { rule.write(to: &$0) }
    }

    /// Removes a rule; one that is gone already is no error.
    package func remove(_ rule: MarkRule) async throws(NetlinkError) {
        do throws(NetlinkError) {
            try await perform(Int(RTM_DELRULE), header: rule.header) { rule.write(to: &$0) }
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
        }
    }
}

extension MarkRule {
    fileprivate var header: fib_rule_hdr {
        var header = fib_rule_hdr()
        header.family = family
        header.action = UInt8(FR_ACT_TO_TBL)
        header.table = table < 256 ? UInt8(table) : UInt8(RT_TABLE_UNSPEC.rawValue)
        return header
    }

    fileprivate func write(to writer: inout MessageWriter) {
        writer.put(Int(FRA_PRIORITY), priority)
        writer.put(Int(FRA_FWMARK), mark)
        writer.put(Int(FRA_FWMASK), UInt32.max)
        writer.put(Int(FRA_TABLE), table)
        writer.put(Int(FRA_PROTOCOL), origin)
    }

    /// Nil if the message is truncated, and a value of nil if the rule is of another kind.
    fileprivate static func parsing(_ message: NetlinkMessage) -> MarkRule?? {
        guard let (header, attributes) = message.header(fib_rule_hdr.self) else { return nil }
        guard header.action == UInt8(FR_ACT_TO_TBL), header.src_len == 0, header.dst_len == 0, header.flags == 0,
            let mark = attributes.first(Int(FRA_FWMARK))?.uint32,
            attributes.first(Int(FRA_FWMASK))?.uint32 ?? .max == .max
        else { return .some(nil) }
        return MarkRule(
            family: header.family, mark: mark,
            table: attributes.first(Int(FRA_TABLE))?.uint32 ?? UInt32(header.table),
            priority: attributes.first(Int(FRA_PRIORITY))?.uint32 ?? 0,
            origin: attributes.first(Int(FRA_PROTOCOL))?.uint8 ?? 0)
    }
}
