import IPVSKit
import Netlink
import RuleKit
import SystemPackage

/// Reads tables of nftables and their contents from the kernel itself, in one namespace.
struct NFTTables: Sendable {
    private let client: NetfilterClient

    init(in namespace: NamespaceHandle) { self.init(NetfilterClient(in: namespace)) }
    init(_ client: NetfilterClient) { self.client = client }

    /// The numbers (`NFPROTO_…`) of the families that see the packets in question.
    static let families: [String: UInt8] = ["inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10]

    /// The numbers of the requests (`NFT_MSG_…`).
    private enum Message: UInt16 {
        case getTable = 1, getChain = 4, getRule = 7, getElement = 13

        /// The message type: the request's number and `NFNL_SUBSYS_NFTABLES`.
        var type: UInt16 { 10 << 8 | rawValue }
    }

    /// The names of all tables, such as `inet filter`. Empty if the kernel has no nftables.
    func names() async throws(NetlinkError) -> [String] {
        do throws(NetlinkError) {
            var names: [String] = []
            for (family, number) in Self.families.sorted(by: { $0.value < $1.value }) {
                names += try await client.list(Message.getTable.type, family: number) { attributes in
                    attributes.first(1).map { "\(family) \($0.string)" }  // NFTA_TABLE_NAME
                }
            }
            return names
        } catch {
            // netfilter answers so if the module does not exist and cannot be loaded.
            if error.errno == .invalidArgument || error.errno == .protocolNotSupported { return [] }
            throw error
        }
    }

    /// For each chain of a table, the network devices for which the kernel calls it.
    func devices(of table: String) async throws(NetlinkError) -> [String: [String]] {
        guard let (family, name) = Self.parts(of: table) else { return [:] }
        let found = try await client.list(Message.getChain.type, family: family) { chain -> (String, [String])? in
            guard chain.first(1)?.string == name, let own = chain.first(3)?.string,  // NFTA_CHAIN_TABLE, _NAME
                let hook = chain.first(4)?.nested  // NFTA_CHAIN_HOOK
            else { return nil }
            var devices = hook.first(3).map { [$0.string] } ?? []  // NFTA_HOOK_DEV
            if var list = hook.first(4)?.nested {  // NFTA_HOOK_DEVS
                while let device = list.next() {
                    if !devices.contains(device.string) { devices.append(device.string) }
                }
            }
            return (own, devices)
        }
        return Dictionary(found) { first, _ in first }
    }

    /// The matches and targets of iptables in the rules of a table, by the rules' handles and in the words of iptables.
    /// nft knows only their names.
    func extensions(of table: String) async throws(NetlinkError) -> [Int64: [[String]]] {
        guard let (family, name) = Self.parts(of: table) else { return [:] }
        let found = try await client.list(Message.getRule.type, family: family) { writer in
            writer.put(1, string: name)  // NFTA_RULE_TABLE
        } parse: { rule -> (Int64, [[String]])? in
            guard rule.first(1)?.string == name, let handle = rule.first(3)?.uint64,  // NFTA_RULE_HANDLE
                var expressions = rule.first(4)?.nested  // NFTA_RULE_EXPRESSIONS
            else { return nil }
            var words: [[String]] = []
            while let expression = expressions.next()?.nested {
                let name = expression.first(1)?.string  // NFTA_EXPR_NAME
                guard name == "match" || name == "target", let data = expression.first(2)?.nested else { continue }
                // NFTA_MATCH_NAME, _REV, _INFO. The attributes of targets have the same numbers.
                words.append(
                    XTWords.words(
                        isTarget: name == "target", data.first(1)?.string ?? "",
                        revision: data.first(2)?.bigEndianUInt32 ?? 0, data.first(3).map { Array($0.bytes) } ?? [],
                        isIPv6: UInt16(family) == AddressFamily.ipv6.rawValue, setName: ForeignIPSets.name))
            }
            return words.isEmpty ? nil : (Int64(truncatingIfNeeded: UInt64(bigEndian: handle)), words)
        }
        return Dictionary(found) { first, _ in first }
    }

    /// The number of a table's family, and the table's own name.
    private static func parts(of table: String) -> (family: UInt8, name: String)? {
        let parts = table.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, let family = families[parts[0]] else { return nil }
        return (family, parts[1])
    }

    /// Looks an element up (`NFT_MSG_GETSETELEM`); nil if the kernel does not answer.
    ///
    /// - Parameter key: the key as the kernel stores it. If there is no such element, the catch-all element is asked for.
    func element(_ key: [UInt8], of set: String, in table: String, family: String) async -> SetAnswers.Answer? {
        guard let number = Self.families[family] else { return nil }
        for key in [key, nil] {
            do throws(NetlinkError) {
                return try await client.ask(Message.getElement.type, family: number) { writer in
                    writer.put(1, string: table)  // NFTA_SET_ELEM_LIST_TABLE
                    writer.put(2, string: set)  // NFTA_SET_ELEM_LIST_SET
                    writer.nest(3) { list in  // NFTA_SET_ELEM_LIST_ELEMENTS
                        list.nest(1) { element in  // NFTA_LIST_ELEM
                            if let key {
                                // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
                                element.nest(1) { value in key.withUnsafeBytes { value.put(1, bytes: $0) } }
                            } else {
                                element.put(3, bigEndian: UInt32(2))  // NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_CATCHALL
                            }
                        }
                    }
                } parse: { message in
                    guard let element = message.first(3)?.nested.first(1)?.nested else { return nil }
                    return .present(element.first(2).flatMap { NFTVerdict.action($0.nested) })  // NFTA_SET_ELEM_DATA
                }
            } catch {
                // Before Linux 5.13 there is no catch-all element, and a question without a key is refused.
                guard error.errno == .noSuchFileOrDirectory || key == nil && error.errno == .invalidArgument else {
                    return nil
                }
            }
        }
        return .absent
    }
}

/// The verdict of a rule, or of an element of a verdict map.
enum NFTVerdict {
    /// The action of the verdict in the attributes of `NFTA_SET_ELEM_DATA`; nil if the value is no verdict.
    static func action(_ data: Attributes) -> HostRule.Action? {
        guard let verdict = data.first(2)?.nested,  // NFTA_DATA_VERDICT
            let code = verdict.first(1)?.bigEndianUInt32  // NFTA_VERDICT_CODE
        else { return nil }
        let chain = verdict.first(2)?.string ?? ""
        switch Int32(bitPattern: code) {
        case 0: return .end(.drop)
        case 1: return .end(.accept)
        case -3: return .jump(chain)
        case -4: return .goto(chain)
        case -5: return .leave
        // NF_QUEUE, with the number of the queue in the upper half.
        case let code where code > 0 && code & 0xFF == 3: return .end(.undecided)
        default: return .proceed
        }
    }
}
