import IPVSKit
import Netlink
import MeshKit
package import RuleKit
import SystemPackage

/// What the fake kernel holds of one tool's rules in one namespace.
package struct FakeRuleContent: Hashable, Sendable {
    /// The role that the constant part is for; nil where there is none.
    package var role: RuleRole?
    /// The parts of the constant part that are there: one table of nftables; sets, and tables of both families, of
    /// iptables and ipset.
    package var parts: Set<String> = []
    package var elements: Set<SetElement> = []
    package var owner: RuleOwner?

    package init() {}
}

/// Rules of one tool in one namespace of the fake kernel: a backend that renders as the real one does, and carries changes
/// out in the same pieces, each of which happens whole or not at all.
struct FakeRules: RuleBackend {
    let tool: RuleTool
    let families: [AddressFamily]
    let gate: Gate
    let read: @Sendable () -> FakeRuleContent
    let edit: @Sendable ((inout FakeRuleContent) -> Void) -> Void

    var name: String { tool.rawValue }

    func render(_ rules: RuleSet) -> RenderedRules {
        switch tool {
        case .nftables: NFTablesBackend.render(rules)
        case .iptables: IPTablesBackend.render(rules, families: families)
        }
    }

    /// The parts that a role takes, in the order in which they are put up.
    static func parts(of role: RuleRole, by tool: RuleTool) -> [String] {
        switch (tool, role) {
        case (.nftables, _): ["table"]
        case (.iptables, .balancer):
            ["sets"]
                + ["ipv4", "ipv6"].flatMap { family in ["nat", "filter", "mangle"].map { "\(family) \($0)" } }
        case (.iptables, .turnaround(let node)): node.map { "\($0.family == .ipv4 ? "ipv4" : "ipv6") nat" }
        case (.iptables, .task(let path)):
            ["ipv4", "ipv6"].flatMap { family in
                (["nat", "mangle"] + (path.hasZones ? ["raw"] : [])).map { "\(family) \($0)" }
            }
        case (.iptables, .passage): ["ipv4 filter", "ipv6 filter"]
        }
    }

    func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules {
        try look()
        let content = read()
        guard !content.parts.isEmpty else { return ObservedRules() }
        let missing = Self.parts(of: role, by: tool).filter { !content.parts.contains($0) }
        var faults = missing.map { RuleFault("\(name): \($0) missing") }
        if let other = content.role, other != role { faults.append(RuleFault("\(name): the rules are for \(other)")) }
        return ObservedRules(
            skeleton: faults.isEmpty ? .intact : .damaged(faults), elements: joined(content.elements),
            owner: content.owner)
    }

    @discardableResult
    func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        var elements: [RuleChange] = []
        var role: RuleRole?
        var owner: RuleOwner?
        for change in changes {
            switch change {
            case .uninstall:
                try await uninstall()
                return []
            case .install(let wanted, _): role = wanted
            case .claim(let wanted): owner = wanted
            case .put, .remove: elements.append(change)
            }
        }
        // With empty sets the constant part of nftables does nothing; that of iptables needs its sets, and comes last.
        let parts = role.map { Self.parts(of: $0, by: tool) } ?? []
        let before = read()
        do throws(RuleError) {
            for part in parts where part == "table" || part == "sets" { try put(part, for: role) }
            try write(elements)
            for part in parts where part != "table" && part != "sets" { try put(part, for: role) }
        } catch {
            // The real backend takes down what it put up where nothing was; and a dead process does nothing more.
            if tool == .iptables, !gate.isDead, before.parts.isEmpty { edit { $0 = before } }
            throw error
        }
        if let owner {
            try operation("\(name): claim")
            edit { $0.owner = owner }
        }
        return []
    }

    func owner() async throws(RuleError) -> RuleOwner? {
        let words = "the owner of the rules of \(name)"
        let errno: Errno?
        do throws(Gate.Killed) { errno = try gate.look(at: words) } catch { throw Self.killed }
        if let errno {
            // A program that is not there is not installed.
            let code: RuleError.Code = errno == .noSuchFileOrDirectory ? .toolMissing : .refused
            throw RuleError(code: code, operation: "look at \(words)", reason: "\(errno)")
        }
        return read().owner
    }

    private func put(_ part: String, for role: RuleRole?) throws(RuleError) {
        try operation("\(name): put up \(part)")
        edit { content in
            content.role = role
            content.parts.insert(part)
        }
    }

    private func uninstall() async throws(RuleError) {
        let all = Self.parts(of: .balancer(detour: nil), by: tool) + ["ipv4 raw", "ipv6 raw"]
        for part in all.reversed() where read().parts.contains(part) {
            try operation("\(name): take down \(part)")
            edit { content in
                content.parts.remove(part)
                if part == "sets" || part == "table" { content = FakeRuleContent() }
            }
        }
        edit { if $0.parts.isEmpty { $0 = FakeRuleContent() } }
    }

    /// One batch of nftables; a message for each element of ipset.
    private func write(_ changes: [RuleChange]) throws(RuleError) {
        let transactions = tool == .nftables ? (changes.isEmpty ? [] : [changes]) : changes.map { [$0] }
        for piece in transactions {
            try operation("\(name): \(piece.count) elements, first \(piece[0])")
            edit { content in
                for change in piece {
                    switch change {
                    case .put(let element, let replaced):
                        content.elements.subtract(replaced.flatMap(pieces))
                        content.elements.formUnion(pieces(element))
                    case .remove(let element): content.elements.subtract(pieces(element))
                    case .install, .uninstall, .claim: break
                    }
                }
            }
        }
    }

    /// The sets that hold each port of a range for itself.
    private var expanded: Set<String> { render(RuleSet()).setsWithSinglePorts.union(Self.expanded(tool)) }

    private static func expanded(_ tool: RuleTool) -> Set<String> {
        var rules = RuleSet()
        rules.tasks = ["10.0.0.2"]
        return switch tool {
        case .nftables: NFTablesBackend.render(rules).setsWithSinglePorts
        case .iptables: IPTablesBackend.render(rules, families: AddressFamily.allCases).setsWithSinglePorts
        }
    }

    /// An element as its set holds it.
    private func pieces(_ element: SetElement) -> [SetElement] {
        guard let ports = element.ports, expanded.contains(element.set) else { return [element] }
        return ports.map { port in
            var piece = element
            piece.ports = port...port
            return piece
        }
    }

    /// Elements as a backend reads them: ports that follow each other stand as one range.
    private func joined(_ elements: Set<SetElement>) -> Set<SetElement> {
        let expanded = expanded
        var others: Set<SetElement> = []
        var ports: [SetElement: [UInt16]] = [:]
        for element in elements {
            guard let port = element.ports?.lowerBound, expanded.contains(element.set) else {
                others.insert(element)
                continue
            }
            var key = element
            key.ports = nil
            ports[key, default: []].append(port)
        }
        for (key, ports) in ports {
            var rest = ports.sorted()[...]
            while let first = rest.popFirst() {
                var last = first
                while rest.first == last + 1 { last = rest.removeFirst() }
                var element = key
                element.ports = first...last
                others.insert(element)
            }
        }
        return others
    }

    private func operation(_ words: String) throws(RuleError) {
        let errno: Errno?
        do throws(Gate.Killed) { errno = try gate.refusal(of: words) } catch { throw Self.killed }
        if let errno { throw RuleError(code: .refused, operation: words, reason: "\(errno)") }
    }

    private func look() throws(RuleError) { if gate.isDead { throw Self.killed } }

    private static let killed = RuleError(code: .refused, operation: "go on", reason: "the process is dead")
}
