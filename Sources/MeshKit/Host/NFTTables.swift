import Netlink
import RuleKit
import SystemPackage

/// Reads tables of nftables and their contents from the kernel itself.
enum NFTTables {
    /// The numbers (`NFPROTO_…`) of the families that see the packets in question.
    static let families: [String: UInt8] = ["inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10]

    /// The numbers of the requests (`NFT_MSG_…`).
    enum Message: UInt16 {
        case getTable = 1, getChain = 4, getRule = 7, getElement = 13

        /// The message type: the request's number and `NFNL_SUBSYS_NFTABLES`.
        var type: UInt16 { 10 << 8 | rawValue }
    }

    /// The names of all tables in the namespace of the process, such as `inet filter`. Empty if the kernel has no
    /// nftables.
    static func names() throws(Errno) -> [String] {
        do throws(Errno) {
            var socket = try NetfilterSocket()
            var names: [String] = []
            for (family, number) in families.sorted(by: { $0.value < $1.value }) {
                try socket.dump(Message.getTable.type, family: number) { attributes in
                    if let name = attributes.first(1)?.string { names.append("\(family) \(name)") }  // NFTA_TABLE_NAME
                }
            }
            return names
        } catch {
            // netfilter answers so if the module does not exist and cannot be loaded.
            if error == .invalidArgument || error == .protocolNotSupported { return [] }
            throw error
        }
    }

    /// For each chain of a table, the network devices for which the kernel calls it.
    static func devices(of table: String) -> [String: [String]] {
        let parts = table.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, let family = families[parts[0]], var socket = try? NetfilterSocket() else { return [:] }
        var found: [String: [String]] = [:]
        // If the kernel cannot be asked, nothing is known.
        try? socket.dump(Message.getChain.type, family: family) { chain in
            guard chain.first(1)?.string == parts[1], let name = chain.first(3)?.string,  // NFTA_CHAIN_TABLE, _NAME
                let hook = chain.first(4)?.nested  // NFTA_CHAIN_HOOK
            else { return }
            var devices = hook.first(3).map { [$0.string] } ?? []  // NFTA_HOOK_DEV
            if var list = hook.first(4)?.nested {  // NFTA_HOOK_DEVS
                while let device = list.next() {
                    if !devices.contains(device.string) { devices.append(device.string) }
                }
            }
            found[name] = devices
        }
        return found
    }

    /// The matches and targets of iptables in the rules of a table, by the rules' handles and in the words of iptables.
    /// nft knows only their names.
    static func extensions(of table: String) -> [Int64: [[String]]] {
        let parts = table.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2, let family = families[parts[0]], var socket = try? NetfilterSocket() else { return [:] }
        var found: [Int64: [[String]]] = [:]
        do throws(Errno) {
            try socket.dump(Message.getRule.type, family: family) { writer in
                writer.put(1, string: parts[1])  // NFTA_RULE_TABLE
            } handler: { rule in
                guard rule.first(1)?.string == parts[1], let bytes = rule.first(3)?.uint64,  // NFTA_RULE_HANDLE
                    var expressions = rule.first(4)?.nested  // NFTA_RULE_EXPRESSIONS
                else { return }
                var words: [[String]] = []
                while let expression = expressions.next()?.nested {
                    let name = expression.first(1)?.string  // NFTA_EXPR_NAME
                    guard name == "match" || name == "target", let data = expression.first(2)?.nested else { continue }
                    // NFTA_MATCH_NAME, _REV, _INFO. The attributes of targets have the same numbers.
                    words.append(
                        XTWords.words(
                            isTarget: name == "target", data.first(1)?.string ?? "",
                            revision: data.first(2)?.bigEndianUInt32 ?? 0,
                            data.first(3).map { Array($0.bytes) } ?? [], isIPv6: family == 10,
                            setName: IPSetQuestions.name))
                }
                if !words.isEmpty { found[Int64(truncatingIfNeeded: UInt64(bigEndian: bytes))] = words }
            }
        } catch {
            // If the kernel cannot be asked, nothing is known.
            return [:]
        }
        return found
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
