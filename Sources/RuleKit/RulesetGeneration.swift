import CNFTables
public import IPVSKit
package import Netlink

/// The number of the generation of a namespace's nftables rules. Every transaction, whoever makes it, gives the rules and
/// sets of the namespace a new number. Rules of iptables-nft are among them, those of iptables-legacy and ipset are not.
///
/// While the number stays the same, what was read once is still true. Asking for it takes one message, and reading the
/// rules takes a call of libnftables or a program.
public final class RulesetGeneration: Sendable {
    private let client: NetfilterClient
    /// The type of the message that asks for the number: that of the subsystem nftables.
    static let question = 10 << 8 | UInt16(truncatingIfNeeded: NFT_MSG_GETGEN.rawValue)

    /// The rules of a namespace, which stays alive as long as this value.
    package init(in namespace: NamespaceHandle) { client = NetfilterClient(in: namespace) }

    /// The rules of a namespace, which stays alive as long as this value.
    ///
    /// - Throws: ``IPVSKit/IPVSError/Code/namespace`` if there is no such namespace, or it may not be opened.
    public convenience init(in namespace: NetworkNamespace) throws(IPVSError) {
        self.init(in: try namespace.open())
    }

    /// The present number; nil if the kernel cannot be asked. Where the kernel has nf_tables as a module, asking loads it.
    func current() async -> UInt32? {
        // Whoever cannot be told reads the rules.
        let answer = try? await client.ask(Self.question, family: 0) { attributes in
            attributes.first(Int(NFTA_GEN_ID.rawValue))?.bigEndianUInt32
        }
        return answer ?? nil
    }

    /// Closes the socket and ends its thread until the next question.
    package func rest() { client.rest() }
}

/// A value that was read at a generation of the rules.
struct Remembered<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let last = Locked<(generation: UInt32, values: [Key: Value])?>(nil)

    /// The value that was read last, if the rules have not changed since.
    func value(of key: Key, at generation: UInt32?) -> Value? {
        last.withLock { last in last.flatMap { $0.generation == generation ? $0.values[key] : nil } }
    }

    /// Remembers a value that was read when the rules were of this generation or a later one.
    func remember(_ value: Value, of key: Key, since generation: UInt32?) {
        guard let generation else { return }
        last.withLock { last in
            if last?.generation != generation { last = (generation, [:]) }
            last!.values[key] = value
        }
    }
}
