import CNFTables
public import IPVSKit
package import Netlink

/// The number of the generation of a namespace's nftables rules. Every transaction, whoever makes it, gives the rules and
/// sets of the namespace a new number. Rules of iptables-nft are among them, those of iptables-legacy and ipset are not.
///
/// While the number stays the same, what was read once is still true. Asking for it takes one message, and reading the
/// rules takes a call of libnftables or a program.
public final class RulesetGeneration: Sendable {
    let client: NetfilterClient
    private let notes: RuleNotes
    /// The type of the message that asks for the number: that of the subsystem nftables.
    static let question = 10 << 8 | UInt16(truncatingIfNeeded: NFT_MSG_GETGEN.rawValue)

    /// The rules of a namespace, which stays alive as long as this value.
    ///
    /// - Parameter notes: where it is noted what was read; by default in memory.
    package init(in namespace: NamespaceHandle, notes: RuleNotes = RuleNotes(in: nil)) {
        client = NetfilterClient(in: namespace)
        self.notes = notes
    }

    /// The rules of a namespace, which stays alive as long as this value.
    ///
    /// - Throws: ``IPVSKit/IPVSError/Code/namespace`` if there is no such namespace, or it may not be opened.
    public convenience init(in namespace: NetworkNamespace) throws(IPVSError) {
        self.init(in: try namespace.open())
    }

    /// The present generation; nil if the kernel cannot be asked. Where the kernel has nf_tables as a module, asking loads
    /// it.
    func current() async -> RuleMoment? {
        // Whoever cannot be told reads the rules.
        let answer = try? await client.ask(Self.question, family: 0) { attributes in
            attributes.first(Int(NFTA_GEN_ID.rawValue))?.bigEndianUInt32
        }
        guard let number = answer ?? nil else { return nil }
        let moment = RuleMoment(namespace: client.namespaceCookie, generation: number)
        notes.meet(moment)
        return moment
    }

    /// What was noted of the rules at a moment, by this process or an earlier one.
    func noted(_ subject: String, at moment: RuleMoment?) -> String? {
        moment.flatMap { notes.text(of: subject, at: $0) }
    }

    /// Notes what was read of the rules when they were of this moment or a later one.
    func note(_ text: String, of subject: String, since moment: RuleMoment?) {
        if let moment { notes.put(text, of: subject, at: moment) }
    }

    /// Forgets all that was noted of the rules, which may be wrong.
    func forget() { notes.remove(of: client.namespaceCookie) }

    /// Closes the socket and ends its thread until the next question.
    package func rest() { client.rest() }
}

/// A generation of the rules of one namespace, between two transactions.
struct RuleMoment: Hashable, Sendable {
    /// The kernel's number of the namespace; nil before Linux 5.14, which has none.
    var namespace: UInt64?
    var generation: UInt32

    /// Whether exactly so many transactions lie between an earlier moment and this one.
    func follows(_ earlier: RuleMoment, by transactions: Int) -> Bool {
        namespace == earlier.namespace && generation == earlier.generation &+ UInt32(transactions)
    }
}

/// A value that was read at a generation of the rules.
struct Remembered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let last = Locked<(moment: RuleMoment, values: [Key: Value])?>(nil)

    /// The value that was read last, if the rules have not changed since.
    func value(of key: Key, at moment: RuleMoment?) -> Value? {
        last.withLock { last in last.flatMap { $0.moment == moment ? $0.values[key] : nil } }
    }

    func forget() { last.withLock { $0 = nil } }

    /// Remembers a value that was read when the rules were of this moment or a later one.
    func remember(_ value: Value, of key: Key, since moment: RuleMoment?) {
        guard let moment else { return }
        last.withLock { last in
            if last?.moment != moment { last = (moment, [:]) }
            last!.values[key] = value
        }
    }
}
