import IPVSKit
import RuleKit

/// A document of layout 1 or 2, which held both parts that are now a ``MeshSpec`` and a ``Ledger``.
///
/// Such documents knew one place, the node's own namespace. Of the detour of 127.0.0.1 they recorded only whether the
/// host refused it.
struct LegacyDocument: Equatable, Sendable {
    /// The newest layout of this kind.
    static let newestSchema = 2

    var schema: Int
    var generation: UInt64
    var services: [String: Service]
    /// Marks of unpublished ports, whose IPVS services may still be in the kernel.
    var retiringMarks: Set<FirewallMark>
    var originalSysctls: [Sysctl: String]
    var originalTCPTimeoutSeconds: UInt32?
    var reservedPorts: [ClosedRange<UInt16>]
    var hairpinPorts: Set<String>
    /// False if the host refused the detour of 127.0.0.1.
    var loopback: Bool
    var rules: RuleTool?
    var formerRules: RuleTool?
    var staleFlows: Set<PortBinding>

    struct Service: Equatable, Sendable, Decodable {
        var scheduler: Scheduler
        var ports: [PublishedPort]
        var tasks: [Task]
    }

    struct Task: Equatable, Sendable, Decodable {
        var address: IPAddress
        var weight: UInt32
        /// Whether the task is behind the node that wrote the document.
        var local: Bool
    }
}

extension LegacyDocument: Decodable {
    private enum CodingKeys: String, CodingKey {
        case schema, generation, services, retiringMarks, originalSysctls, originalTCPTimeoutSeconds, reservedPorts
        case hairpinPorts, loopback, rules, formerRules, staleFlows
    }

    /// Reads either layout. A field that the document lacks has the value that earlier versions implied.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        schema = try container.decode(Int.self, forKey: .schema)
        guard (1...Self.newestSchema).contains(schema) else {
            throw DecodingError.dataCorruptedError(
                forKey: .schema, in: container, debugDescription: "\(schema) is not a layout")
        }
        generation = try container.decodeGeneration(forKey: .generation)
        services = try container.decode([String: Service].self, forKey: .services)
        retiringMarks = try container.decode(Set<FirewallMark>.self, forKey: .retiringMarks)
        originalSysctls = try container.decode([Sysctl: String].self, forKey: .originalSysctls)
        originalTCPTimeoutSeconds = try container.decodeIfPresent(UInt32.self, forKey: .originalTCPTimeoutSeconds)
        reservedPorts = try container.decodeIfPresent([ClosedRange<UInt16>].self, forKey: .reservedPorts) ?? []
        hairpinPorts = try container.decodeIfPresent(Set<String>.self, forKey: .hairpinPorts) ?? []
        loopback = try container.decodeIfPresent(Bool.self, forKey: .loopback) ?? true
        rules = try container.decodeIfPresent(RuleTool.self, forKey: .rules)
        formerRules = try container.decodeIfPresent(RuleTool.self, forKey: .formerRules)
        staleFlows = try container.decodeIfPresent(Set<PortBinding>.self, forKey: .staleFlows) ?? []
    }
}
