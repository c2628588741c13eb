import CNetlink

/// A routing rule of anybody's that looks packets up in a table by their source or their mark.
package struct PolicyRule: Hashable, Sendable {
    /// The network of the source, four or sixteen bytes, with the number of leading bits that count; nil for any source.
    package var source: Network?
    /// Nil for any mark.
    package var mark: UInt32?
    package var table: UInt32

    package init(source: Network? = nil, mark: UInt32? = nil, table: UInt32) {
        self.source = source
        self.mark = mark
        self.table = table
    }

    /// A network by its bytes.
    package struct Network: Hashable, Sendable {
        package var address: [UInt8]
        package var length: Int

        package init(address: [UInt8], length: Int) {
            self.address = address
            self.length = length
        }
    }
}

extension RouteClient {
    /// The routing rules of a family that ask for a source or a mark, in the order in which the kernel asks them. A rule
    /// may ask for other things, too.
    ///
    /// - Parameter family: `AF_INET` or `AF_INET6`.
    package func policyRules(_ family: UInt8) async throws(NetlinkError) -> [PolicyRule] {
        try await rules(family) { PolicyRule.parsing($0) }
    }
}

extension PolicyRule {
    /// Nil if the message is truncated, and a value of nil if the rule is of another kind.
    fileprivate static func parsing(_ message: NetlinkMessage) -> PolicyRule?? {
        guard let (header, attributes) = message.header(fib_rule_hdr.self) else { return nil }
        let mark = attributes.first(Int(FRA_FWMARK))?.uint32
        let source = attributes.first(Int(FRA_SRC))?.array
        let table = attributes.first(Int(FRA_TABLE))?.uint32 ?? UInt32(header.table)
        // A rule without a table looks packets up in that of their VRF.
        guard header.action == UInt8(FR_ACT_TO_TBL), header.flags & UInt32(FIB_RULE_INVERT) == 0, table != 0,
            mark != nil || source != nil
        else { return .some(nil) }
        return PolicyRule(
            source: source.map { Network(address: $0, length: Int(header.src_len)) }, mark: mark, table: table)
    }
}
