import IPVSKit

/// Translates the matches of an iptables rule into conditions.
enum IPTablesMatches {
    /// Matches whose options are all handled here, or do not concern TCP, UDP and SCTP.
    private static let knownModules: Set<String> = [
        "tcp", "udp", "sctp", "multiport", "conntrack", "state", "comment", "addrtype", "pkttype", "icmp", "icmp6",
        "mark", "set", "rpfilter", "owner",
    ]

    /// - Parameter words: the words between the chain's name and the target.
    static func conditions(_ words: ArraySlice<String>) -> [Condition] {
        var conditions: [Condition] = []
        var rest = words
        var isNegated = false
        func next() -> String { rest.popFirst() ?? "" }

        while let word = rest.popFirst() {
            if word == "!" {
                isNegated = true
                continue
            }
            let condition: Condition
            switch word {
            case "-m":
                switch next() {
                // The reverse path check is assumed to succeed: clients that fail it cannot be known in advance.
                case "rpfilter":
                    conditions.append(.constant(!rest.prefix { $0 != "-m" }.contains("--invert")))
                    continue
                // Packets of published ports do not have these headers.
                case "rt", "frag", "hbh", "dst", "ah", "esp", "mh":
                    conditions.append(.constant(false))
                    continue
                case let name where knownModules.contains(name): continue
                default: condition = .unknown
                }
            case "--invert", "--loose", "--validmark", "--accept-local": continue
            case "--mark":
                let parts = next().split(separator: "/").map { IPTablesTargets.number(String($0)) }
                condition =
                    if let value = parts.first ?? nil, let mask = parts.count == 2 ? parts[1] : .max {
                        .mark(mask: mask, value: value)
                    } else {
                        .unknown
                    }
            // The client is on another host, so no socket of this host sends the packet.
            case "--uid-owner", "--gid-owner":
                _ = next()
                condition = .constant(false)
            case "--socket-exists": condition = .constant(false)
            case "--match-set": condition = element(next(), next())
            case "--comment":
                _ = next()
                continue
            case "-p": condition = transport(next())
            case "-s": condition = ClosedRange(rule: next()).map(Condition.source) ?? .unknown
            case "-d": condition = ClosedRange(rule: next()).map(Condition.destination) ?? .unknown
            case "-i": condition = .inputInterface(interface(next()))
            case "-o": condition = .outputInterface(interface(next()))
            // The condition matches second and further fragments, which have no ports.
            case "-f": condition = .constant(false)
            case "--dport", "--dports": condition = ports(next(), Condition.destinationPort)
            case "--sport", "--sports": condition = ports(next(), Condition.sourcePort)
            case "--ports":
                let list = next()
                condition = .any([ports(list, Condition.sourcePort), ports(list, Condition.destinationPort)])
            case "--state", "--ctstate": condition = list(next(), state)
            case "--ctdir": condition = .direction(isReply: next() == "REPLY")
            case "--ctstatus": condition = list(next()) { $0 == "none" ? .unknown : .connectionStatus($0) }
            case "--src-type": condition = list(next(), Condition.sourceType)
            case "--dst-type": condition = list(next(), Condition.destinationType)
            case "--pkt-type": condition = .packetType(next().lowercased())
            case "--tcp-flags":
                let mask = flags(next())
                condition = .tcpFlags(mask: mask, value: flags(next()))
            case let option where option.hasPrefix("-"): condition = .unknown
            // This word is the value of an unknown option.
            default: continue
            }
            conditions.append(isNegated ? .not(condition) : condition)
            isNegated = false
        }
        return conditions
    }

    private static func transport(_ name: String) -> Condition {
        if name == "all" || name == "0" { return .constant(true) }
        if let number = TransportProtocol(name)?.rawValue ?? UInt16(name) { return .transport(number...number) }
        // The name stands for another protocol, such as icmp or esp.
        return .constant(false)
    }

    /// - Parameter directions: `src` or `dst` for each part of the set's elements, separated by commas.
    private static func element(_ set: String, _ directions: String) -> Condition {
        .ipset(set, directions: directions.split(separator: ",").map(String.init))
    }

    private static func interface(_ name: String) -> String {
        name.hasSuffix("+") ? name.dropLast() + "*" : name
    }

    /// Parses `80`, `1000:1010`, `:1023` or `22,80,1000:1010`.
    private static func ports(_ text: String, _ make: (ClosedRange<UInt16>) -> Condition) -> Condition {
        .any(
            text.split(separator: ",").map { part in
                let bounds = part.split(separator: ":", omittingEmptySubsequences: false)
                let first = bounds[0].isEmpty ? 0 : UInt16(bounds[0])
                let last = bounds.count == 1 ? first : bounds[1].isEmpty ? .max : UInt16(bounds[1])
                guard let first, let last, first <= last else { return .unknown }
                return make(first...last)
            })
    }

    private static func list(_ text: String, _ make: (String) -> Condition) -> Condition {
        .any(text.split(separator: ",").map { make($0.lowercased()) })
    }

    /// Converts a state's name. iptables counts translation among the states.
    private static func state(_ name: String) -> Condition {
        name == "snat" || name == "dnat" ? .connectionStatus(name) : .connectionState(name)
    }

    private static func flags(_ text: String) -> UInt8 {
        switch text {
        case "NONE": 0
        case "ALL": 0x3F
        default: text.split(separator: ",").reduce(0) { $0 | TCPFlag.bit(String($1)) }
        }
    }
}

/// The flags of a TCP header by name.
enum TCPFlag {
    private static let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"]

    /// The bit of a flag; 0 if there is no flag with the name.
    static func bit(_ name: String) -> UInt8 {
        names.firstIndex(of: name.lowercased()).map { 1 << UInt8($0) } ?? 0
    }
}
