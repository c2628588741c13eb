import IPVSKit
import RuleKit

extension Holdings: Codable {
    private enum CodingKeys: String, CodingKey {
        case namespace, links, marks, rules, formerRules, settings, originalTCPTimeoutSeconds, reservedPorts
        case hairpinPorts, staleFlows, retiring, refusal, routers, hasPassage
    }

    /// Reads an object. A missing field has the value that it has in empty holdings.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        namespace = try container.decodeIfPresent(String.self, forKey: .namespace)
        links = try container.decodeIfPresent(Set<String>.self, forKey: .links) ?? []
        marks = try Self.marks(in: container)
        rules = try container.decodeIfPresent(RuleTool.self, forKey: .rules)
        formerRules = try container.decodeIfPresent(RuleTool.self, forKey: .formerRules)
        settings = try container.decodeIfPresent([Sysctl: OriginalSetting].self, forKey: .settings) ?? [:]
        originalTCPTimeoutSeconds = try container.decodeIfPresent(UInt32.self, forKey: .originalTCPTimeoutSeconds)
        reservedPorts = try Self.parsed(container, .reservedPorts, "a range of ports") { $0.portRange }
        hairpinPorts = try container.decodeIfPresent(Set<String>.self, forKey: .hairpinPorts) ?? []
        staleFlows = Set(try Self.parsed(container, .staleFlows, "a port") { PortBinding(text: $0) })
        retiring = try container.decodeIfPresent([RetiringPath].self, forKey: .retiring) ?? []
        refusal = try container.decodeIfPresent(String.self, forKey: .refusal)
        hasPassage = try container.decodeIfPresent(Bool.self, forKey: .hasPassage) ?? false
        routers = try container.decodeIfPresent([Sysctl: Set<String>].self, forKey: .routers) ?? [:]
    }

    /// Leaves out fields with the values that they have in empty holdings. A mark is one line of text, which keeps a
    /// document of thousands of marks small.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(namespace, forKey: .namespace)
        if !links.isEmpty { try container.encode(links.sorted(), forKey: .links) }
        if !marks.isEmpty {
            var texts = DestinationTexts()
            try container.encode(
                marks.sorted { $0.key < $1.key }.map { "\($0.rawValue) \(texts.text(of: $1))" }, forKey: .marks)
        }
        try container.encodeIfPresent(rules, forKey: .rules)
        try container.encodeIfPresent(formerRules, forKey: .formerRules)
        if !settings.isEmpty { try container.encode(settings, forKey: .settings) }
        try container.encodeIfPresent(originalTCPTimeoutSeconds, forKey: .originalTCPTimeoutSeconds)
        if !reservedPorts.isEmpty {
            try container.encode(reservedPorts.map(PortBinding.text(of:)), forKey: .reservedPorts)
        }
        if !hairpinPorts.isEmpty { try container.encode(hairpinPorts.sorted(), forKey: .hairpinPorts) }
        if !staleFlows.isEmpty { try container.encode(staleFlows.sorted().map(\.description), forKey: .staleFlows) }
        if !retiring.isEmpty { try container.encode(retiring, forKey: .retiring) }
        try container.encodeIfPresent(refusal, forKey: .refusal)
        if hasPassage { try container.encode(hasPassage, forKey: .hasPassage) }
        if !routers.isEmpty { try container.encode(routers.mapValues { $0.sorted() }, forKey: .routers) }
    }

    private static func marks(
        in container: KeyedDecodingContainer<CodingKeys>
    ) throws -> [FirewallMark: OwnedMark] {
        let lines = try container.decodeIfPresent([String].self, forKey: .marks) ?? []
        var marks = [FirewallMark: OwnedMark](minimumCapacity: lines.count)
        var texts = DestinationTexts()
        for line in lines {
            let end = line.utf8.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
            guard let mark = UInt32(decimal: line.utf8[..<end]).flatMap(FirewallMark.init(rawValue:)),
                let owned = texts.owned(line[end...].dropFirst())
            else {
                throw DecodingError.dataCorruptedError(
                    forKey: .marks, in: container,
                    debugDescription:
                        "\(line.debugDescription) is not a firewall mark with a port and its destinations, "
                        + "as \"256 1080/tcp 10.0.0.2:80 [fd00::2]:80\" is")
            }
            guard marks.updateValue(owned, forKey: mark) == nil else {
                throw DecodingError.dataCorruptedError(
                    forKey: .marks, in: container, debugDescription: "\(mark.rawValue) is there twice")
            }
        }
        return marks
    }

    private static func parsed<Value>(
        _ container: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys, _ what: String,
        _ parse: (Substring) -> Value?
    ) throws -> [Value] {
        try (container.decodeIfPresent([String].self, forKey: key) ?? []).map { text in
            guard let value = parse(text[...]) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container, debugDescription: "\(text.debugDescription) is not \(what)")
            }
            return value
        }
    }
}
