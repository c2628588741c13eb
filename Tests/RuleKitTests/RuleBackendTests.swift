import IPVSKit
import Netlink
import RuleKit
import Testing

/// A backend of somebody else's, by the public parts of RuleKit alone.
@Suite struct RuleBackendTests {
    private func rules(_ marks: [UInt16: FirewallMark]) -> RuleSet {
        var rules = RuleSet()
        for (port, mark) in marks { rules.ports[PortBinding(port, .tcp)] = PortRule(mark: mark) }
        return rules
    }

    @Test func aRuleSetIsAppliedWhole() async throws {
        let backend = ListBackend()
        #expect(try await backend.apply(rules([1080: 0x100, 1081: 0x101])) == [])
        #expect(
            try await backend.read(expecting: .balancer(detour: nil)).elements.sorted().map(\.description)
                == ["ports 1080 : 0x100", "ports 1081 : 0x101"])

        try await backend.apply(rules([1081: 0x102]))
        let found = try await backend.read(expecting: .balancer(detour: nil))
        #expect(found.skeleton == .intact)
        #expect(found.elements.map(\.description) == ["ports 1081 : 0x102"])
    }

    @Test func whatIsLeftBehindIsReturned() async throws {
        let backend = ListBackend()
        try await backend.apply(rules([1080: 0x100]))
        let remnants = try await backend.apply(RuleSet())
        #expect(remnants.map(\.description) == ["list ports is left behind, empty: it is used by somebody"])
        #expect(try await backend.read(expecting: .balancer(detour: nil)) == ObservedRules())
    }
}

/// Keeps its rules in a list, which somebody else always uses.
private struct ListBackend: RuleBackend {
    let name = "list"
    private let content = Locked(ObservedRules())

    func render(_ rules: RuleSet) -> RenderedRules {
        let elements = rules.ports.map { binding, rule in
            SetElement("ports", ports: binding.ports, value: .mark(rule.mark))
        }
        return RenderedRules(role: rules.isEmpty ? nil : rules.role, elements: Set(elements), order: ["ports"])
    }

    func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules { content.withLock { $0 } }

    func owner() async throws(RuleError) -> RuleOwner? { content.withLock { $0.owner } }

    func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        for change in changes {
            switch change {
            case .install: content.withLock { $0.skeleton = .intact }
            case .claim(let owner): content.withLock { $0.owner = owner }
            case .uninstall:
                content.withLock { $0 = ObservedRules() }
                return [RuleRemnant(subject: "list ports", users: ["somebody"])]
            case .put(let element, let replaced):
                content.withLock { content in
                    content.elements.subtract(replaced)
                    content.elements.insert(element)
                }
            case .remove(let element): content.withLock { _ = $0.elements.remove(element) }
            }
        }
        return []
    }
}
