import BenchSupport
import IPVSKit
import RuleKit

/// What one published port more costs to write, with ten there and with thousands.
enum PortCost {
    static func measure(_ tool: String, _ pairs: Int) async throws -> [Result] {
        let few = try await Ports.Node("rb-ten", tool, ports: 10)
        let many = try await Ports.Node("rb-5000", tool, ports: 5000)
        defer { for node in [few, many] { node.end() } }
        var results: [(ours: Double, theirs: Double)] = []
        for number in 0...pairs {
            var seconds: [Double] = [0, 0]
            for index in number.isMultiple(of: 2) ? [0, 1] : [1, 0] {
                seconds[index] = try await [many, few][index].secondsForOneMore()
            }
            if number > 0 { results.append((seconds[0], seconds[1])) }
        }
        return [Result("add-port/5000", peer: "10-ports", rules: tool, pairs: results)]
    }
}

/// Rules with many ports.
enum Ports {
    static func backend(_ tool: String, in namespace: NetworkNamespace) throws -> any RuleBackend {
        switch tool {
        case "nftables": NFTablesBackend(in: namespace)
        case "iptables": IPTablesBackend(in: namespace)
        default: throw BenchError("\(tool) is neither nftables nor iptables")
        }
    }

    /// Ports from 1080 on, with marks from 0x100 on.
    static func rules(_ count: Int, _ transport: TransportProtocol) -> RuleSet {
        var rules = RuleSet()
        for index in 0..<count {
            rules.ports[PortBinding(UInt16(1080 + index), transport)] =
                PortRule(mark: FirewallMark(rawValue: 256 + UInt32(index))!)
        }
        return rules
    }

    static func apply(_ rules: RuleSet, to backend: any RuleBackend) async throws {
        let found = try await backend.read(expecting: rules.role)
        let changes = backend.render(rules).changes(from: found)
        try await backend.apply(changes.additions + changes.removals)
        let rest = try await backend.render(rules).changes(from: backend.read(expecting: rules.role))
        guard rest.additions.isEmpty, rest.removals.isEmpty else {
            throw BenchError("\(backend.name) did not take the rules: \(rest.additions.prefix(3)) are missing")
        }
    }

    final class Node {
        private let name: String
        private let backend: any RuleBackend
        private let count: Int

        init(_ name: String, _ tool: String, ports: Int) async throws {
            (self.name, count) = (name, ports)
            try Namespace.make(name)
            backend = try Ports.backend(tool, in: .named(name))
            try await Ports.apply(Ports.rules(ports, .tcp), to: backend)
        }

        func end() { _ = try? run("ip", "netns", "del", name) }

        /// From the changes in hand to the kernel's word: the mean of twenty, each taken back again.
        func secondsForOneMore() async throws -> Double {
            let (now, next) = (backend.render(rules(count)), backend.render(rules(count + 1)))
            let more = next.changes(from: ObservedRules(skeleton: .intact, elements: now.elements)).additions
            let less = now.changes(from: ObservedRules(skeleton: .intact, elements: next.elements)).removals
            let clock = ContinuousClock()
            var total = Duration.zero
            for _ in 0..<20 {
                total += try await clock.measure { try await backend.apply(more) }
                try await backend.apply(less)
            }
            return total.seconds / 20
        }

        private func rules(_ count: Int) -> RuleSet { Ports.rules(count, .tcp) }
    }
}
