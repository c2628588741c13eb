import IPVSKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Rules by iptables, ports and addresses in ipset sets.
public struct IPTablesBackend: RuleBackend {
    /// `iptables`.
    public var name: String { "iptables" }

    /// For the namespace of the process.
    public init() {}

    /// A kernel without IPv6 has no ip6tables, and needs none.
    private var tools: [IPTablesTool] {
        let hasIPv6 = access("/proc/net/if_inet6", F_OK) == 0
        return [IPTablesTool(family: .ipv4)] + (hasIPv6 ? [IPTablesTool(family: .ipv6)] : [])
    }

    /// What is in the kernel of what is ours.
    public func read() async throws(RuleError) -> ObservedRules {
        var faults: [RuleFault] = []
        var isAbsent = true
        for tool in tools {
            let saved = try await tool.save()
            faults += saved.faults(against: Skeleton(family: tool.family), tool: tool.name)
            isAbsent = isAbsent && saved.isEmpty
        }

        var rules = RuleSet()
        let names = try await IPSetLibrary.names()
        for set in IPSet.allCases {
            guard names.contains(set.rawValue) else {
                faults.append(RuleFault("ipset: set \(set.rawValue) missing"))
                continue
            }
            isAbsent = false
            let contents = try await IPSetLibrary.contents(of: set)
            guard contents.definition.hasPrefix(set.definition) else {
                throw RuleError(
                    code: .refused, operation: "use ipset set \(set.rawValue)",
                    reason: "it exists as \(contents.definition), not as \(set.definition)",
                    hint: "meshctl owns the sets whose names begin with \(IPSet.prefix): rename or destroy it")
            }
            Self.read(contents, of: set, into: &rules)
        }
        if isAbsent { return ObservedRules() }
        return ObservedRules(skeleton: faults.isEmpty ? .intact : .damaged(faults), rules: rules)
    }

    private static func read(_ contents: IPSetContents, of set: IPSet, into rules: inout RuleSet) {
        for entry in contents.entries {
            switch set.contents {
            case .marks(let transport):
                // An entry without a mark does nothing; it is none, and writing the wanted one replaces it.
                guard let port = UInt16(entry.element), port != 0, let mark = entry.mark else { continue }
                rules.marks[TransportPort(port, transport)] = mark
            case .addresses(let list):
                if let address = IPAddress(entry.element) { rules.addresses[list, default: []].insert(address) }
            }
        }
    }

    /// Makes changes: sets and their elements first where rules are installed, rules first where they go.
    public func apply(_ changes: [RuleChange]) async throws(RuleError) {
        let installs = changes.contains { if case .install = $0 { true } else { false } }
        if installs {
            try await IPSetLibrary.restore(IPSet.allCases.map { "create \($0.rawValue) \($0.definition) -exist" })
        }
        var lines: [String] = []
        for change in changes {
            if let line = try Self.line(change) { lines.append(line) }
        }
        try await IPSetLibrary.restore(lines)
        if installs {
            for tool in tools { try await tool.restore(tool.save().restoring(Skeleton(family: tool.family))) }
        }
        if changes.contains(.uninstall) { try await uninstall() }
    }

    private func uninstall() async throws(RuleError) {
        for tool in tools { try await tool.restore(tool.save().removing(Skeleton(family: tool.family))) }
        let names = try await IPSetLibrary.names()
        try await IPSetLibrary.restore(
            IPSet.allCases.filter { names.contains($0.rawValue) }.map { "destroy \($0.rawValue)" })
    }

    /// A change to one element, as a line of `ipset restore`. Done twice it does no more than once.
    private static func line(_ change: RuleChange) throws(RuleError) -> String? {
        switch change {
        case .install, .uninstall: nil
        case .mark(let port, let mark): "add \(try set(of: port)) \(port.port) skbmark \(mark) -exist"
        case .unmark(let port): "del \(try set(of: port)) \(port.port) -exist"
        case .add(let address, let list): "add \(IPSet.addresses(list, address.family).rawValue) \(address) -exist"
        case .remove(let address, let list): "del \(IPSet.addresses(list, address.family).rawValue) \(address) -exist"
        }
    }

    private static func set(of port: TransportPort) throws(RuleError) -> String {
        guard let set = IPSet.marks(port.transport) else {
            throw RuleError(
                code: .refused, operation: "mark \(port)", reason: "\(port.transport) ports are not supported yet")
        }
        return set.rawValue
    }
}
