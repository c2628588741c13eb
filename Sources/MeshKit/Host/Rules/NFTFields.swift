import IPVSKit

/// Translates comparisons of packet fields with values from nft's JSON into conditions.
enum NFTFields {
    /// The conditions that a packet must satisfy to have the field at all.
    static func implied(_ field: JSONValue) -> [Condition] {
        guard let (kind, value) = field.only else { return [] }
        switch kind {
        case "payload":
            guard let name = value["protocol"]?.string else { return [.unknown] }
            if let number = TransportProtocol(name)?.rawValue { return [.transport(number...number)] }
            return switch name {
            case "ip": [.family(.ipv4)]
            case "ip6": [.family(.ipv6)]
            case "arp": [.arp]
            case "th", "ether": []
            // The packet may have a VLAN tag or not.
            case "vlan": [.unknown]
            // Other protocols, such as icmp or esp.
            default: [.constant(false)]
            }
        // Packets of published ports lack these headers, and no socket of this host sends them.
        case "exthdr": return value["field"] == nil ? [] : [.constant(false)]
        case "meta":
            return ["skuid", "skgid", "cgroup"].contains(value["key"]?.string) ? [.constant(false)] : []
        case "concat": return (value.array ?? []).flatMap(implied)
        case "&", "|", "^": return (value.array ?? []).first.map(implied) ?? []
        default: return []
        }
    }

    static func condition(_ field: JSONValue, _ value: JSONValue) -> Condition {
        if value == .string("*") { return .constant(true) }
        guard let (kind, details) = field.only else { return .unknown }
        switch kind {
        case "concat":
            guard let fields = details.array, let values = value["concat"]?.array, fields.count == values.count else {
                return .unknown
            }
            return .all(zip(fields, values).map { condition($0, $1) })
        case "payload":
            return payload(details["protocol"]?.string ?? "", details["field"]?.string ?? "", value)
        case "meta": return meta(details["key"]?.string ?? "", value)
        case "ct":
            guard let name = value.string else { return .unknown }
            return switch details["key"]?.string {
            case "state": .connectionState(name)
            case "status": .connectionStatus(name)
            case "direction": .direction(isReply: name == "reply")
            default: .unknown
            }
        // The reverse path check is assumed to succeed: clients that fail it cannot be known in advance.
        case "fib" where ["oif", "oifname"].contains(details["result"]?.string):
            return details["flags"]?.array?.contains(.string("saddr")) == true && value == .bool(false)
                ? .constant(false) : .unknown
        case "&":
            guard let operands = details.array, operands.count == 2, let mask = operands[1].number,
                let number = value.number
            else { return .unknown }
            // conntrack has reassembled fragments before a rule sees them.
            if operands[0]["payload"]?["field"]?.string == "frag-off" { return .constant(number == 0) }
            guard operands[0]["meta"]?["key"]?.string == "mark" else { return .unknown }
            return .mark(mask: UInt32(truncatingIfNeeded: mask), value: UInt32(truncatingIfNeeded: number))
        // Packets of published ports have no extension headers.
        case "exthdr": return .constant(value == .bool(false))
        case "fib":
            guard details["result"]?.string == "type", let type = value.string else { return .unknown }
            let flags = details["flags"]?.array ?? details["flags"].map { [$0] } ?? []
            return flags.contains(.string("daddr")) ? .destinationType(type) : .sourceType(type)
        default: return .unknown
        }
    }

    /// The fields of a key that is looked up in a set.
    static func fields(_ key: JSONValue) -> [SetQuestion.Field] {
        guard let (kind, details) = key.only else { return [.other] }
        switch kind {
        case "concat": return (details.array ?? []).flatMap(fields)
        case "meta": return [details["key"]?.string == "l4proto" ? .transport : .other]
        case "payload":
            return switch (details["protocol"]?.string, details["field"]?.string) {
            case ("tcp", "dport"), ("udp", "dport"), ("sctp", "dport"), ("th", "dport"): [.destinationPort]
            case ("tcp", "sport"), ("udp", "sport"), ("sctp", "sport"), ("th", "sport"): [.sourcePort]
            case ("ip", "saddr"), ("ip6", "saddr"), ("arp", "saddr ip"): [.source]
            case ("ip", "daddr"), ("ip6", "daddr"), ("arp", "daddr ip"): [.destination]
            case ("ip", "protocol"), ("ip6", "nexthdr"): [.transport]
            default: [.other]
            }
        default: return [.other]
        }
    }

    /// Comparisons of TCP flags, whose right side is one value even if it is a list. Nil for other fields.
    static func wholeCondition(_ field: JSONValue, _ value: JSONValue, _ op: String) -> Condition? {
        let tcpFlags: JSONValue = .object(["payload": .object(["protocol": .string("tcp"), "field": .string("flags")])])
        if field == tcpFlags {
            guard let flags = flags(value) else { return .unknown }
            return op == "in" ? .not(.tcpFlags(mask: flags, value: 0)) : .tcpFlags(mask: 0xFF, value: flags)
        }
        guard let operands = field["&"]?.array, operands.count == 2, operands[0] == tcpFlags else { return nil }
        guard let mask = flags(operands[1]), let flags = flags(value) else { return .unknown }
        return .tcpFlags(mask: mask, value: flags)
    }

    /// The condition of a comparison such as `tcp dport >= 60000`.
    static func comparison(_ field: JSONValue, _ op: String, _ value: JSONValue) -> Condition {
        guard let number = value.number, let bound = UInt16(exactly: number) else { return .unknown }
        let range: ClosedRange<UInt16>? =
            switch op {
            case "<": bound == 0 ? nil : 0...(bound - 1)
            case "<=": 0...bound
            case ">": bound == .max ? nil : (bound + 1)...UInt16.max
            case ">=": bound...UInt16.max
            default: nil
            }
        guard let range else { return .unknown }
        switch field["payload"]?["field"]?.string {
        case "dport": return .destinationPort(range)
        case "sport": return .sourcePort(range)
        default: return .unknown
        }
    }

    private static func payload(_ name: String, _ field: String, _ value: JSONValue) -> Condition {
        switch (name, field) {
        case ("tcp", "dport"), ("udp", "dport"), ("sctp", "dport"), ("th", "dport"):
            ports(value).map(Condition.destinationPort) ?? .unknown
        case ("tcp", "sport"), ("udp", "sport"), ("sctp", "sport"), ("th", "sport"):
            ports(value).map(Condition.sourcePort) ?? .unknown
        case ("ip", "saddr"), ("ip6", "saddr"), ("arp", "saddr ip"): addresses(value).map(Condition.source) ?? .unknown
        case ("ip", "daddr"), ("ip6", "daddr"), ("arp", "daddr ip"):
            addresses(value).map(Condition.destination) ?? .unknown
        case ("ip", "protocol"), ("ip6", "nexthdr"): transport(value)
        case ("arp", "ptype"): .constant(value == .string("ip"))
        case ("ether", "type"):
            switch value.string {
            case "ip": .family(.ipv4)
            case "ip6": .family(.ipv6)
            case "arp": .arp
            default: .constant(false)
            }
        default: .unknown
        }
    }

    private static func meta(_ key: String, _ value: JSONValue) -> Condition {
        switch key {
        case "l4proto": transport(value)
        case "nfproto", "protocol":
            switch value.string {
            case "ipv4", "ip": .family(.ipv4)
            case "ipv6", "ip6": .family(.ipv6)
            case "arp": .arp
            default: .constant(false)
            }
        // For an interface that no longer exists, nft writes its number.
        case "iif", "iifname": value.string.map(Condition.inputInterface) ?? .constant(false)
        case "oif", "oifname": value.string.map(Condition.outputInterface) ?? .constant(false)
        case "mark": value.number.map { .mark(mask: .max, value: UInt32(truncatingIfNeeded: $0)) } ?? .unknown
        case "pkttype": value.string.map(Condition.packetType) ?? .unknown
        default: .unknown
        }
    }

    private static func transport(_ value: JSONValue) -> Condition {
        let number =
            value.number.flatMap { UInt16(exactly: $0) } ?? value.string.flatMap { TransportProtocol($0)?.rawValue }
        return number.map { .transport($0...$0) } ?? .constant(false)
    }

    private static func ports(_ value: JSONValue) -> ClosedRange<UInt16>? {
        let bounds = (value["range"]?.array ?? [value]).compactMap { $0.number.flatMap { UInt16(exactly: $0) } }
        guard let first = bounds.first, let last = bounds.last, first <= last else { return nil }
        return first...last
    }

    private static func addresses(_ value: JSONValue) -> ClosedRange<IPAddress>? {
        if let prefix = value["prefix"], let length = prefix["len"]?.number {
            return prefix["addr"]?.string.flatMap(address).flatMap { ClosedRange(prefix: $0, length: Int(length)) }
        }
        let bounds = (value["range"]?.array ?? [value]).compactMap { $0.string.flatMap(address) }
        guard let first = bounds.first, let last = bounds.last, first <= last else { return nil }
        return first...last
    }

    private static func address(_ text: String) -> IPAddress? { .init(text) }

    private static func flags(_ value: JSONValue) -> UInt8? {
        if let number = value.number { return UInt8(exactly: number) }
        let names = value.array ?? value["|"]?.array ?? [value]
        return names.reduce(0) { bits, name in
            guard let bits, let bit = name.string.map(TCPFlag.bit) ?? flags(of: name), bit != 0 else { return nil }
            return bits | bit
        }
    }

    /// The flags in nested lists such as `{"|": ["fin", {"|": ["syn", "rst"]}]}`, which older versions write.
    private static func flags(of value: JSONValue) -> UInt8? { value["|"] == nil ? nil : flags(value) }
}
