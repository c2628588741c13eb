import IPVSKit
import Testing

@testable import RuleKit

@Suite struct IPTablesRenderTests {
    private func elements(_ ports: [PortBinding: PortRule], _ change: (inout RuleSet) -> Void = { _ in }) -> [String] {
        var rules = RuleSet()
        rules.ports = ports
        change(&rules)
        return IPTablesBackend(in: .current, families: [.ipv4, .ipv6]).render(rules).elements.sorted()
            .map(\.description)
    }

    /// A few rules for a few twins are acceptable, but the number of rules must not grow with the number of ports.
    @Test func twinsAreTranslatedAsLongAsTheyAreFew() {
        func rules(_ count: Int) -> Set<SetElement> {
            var rules = RuleSet()
            for index in 0...count {
                rules.ports[PortBinding(UInt16(1080 + index), .tcp)] =
                    PortRule(mark: FirewallMark(rawValue: 0x100 + UInt32(index))!, twin: index == 0 ? nil : 1080)
            }
            return IPTablesBackend(in: .current, families: [.ipv4]).render(rules).elements.filter {
                $0.set == TargetRule.set(.ipv4)
            }
        }
        #expect(rules(1).map(\.description) == ["mesh-target4 0x101 . tcp . 1081 : 1080"])
        #expect(rules(16).count == 16)
        #expect(rules(17).isEmpty)
    }

    @Test func aPortIsOneElementForBothFamilies() {
        #expect(elements([PortBinding(1080, .tcp): PortRule(mark: 0x100)]) == ["mesh-mark-tcp 1080 : 0x100"])
        #expect(
            elements([PortBinding(1000...1999, .udp): PortRule(mark: 0x100)]) == ["mesh-mark-udp 1000-1999 : 0x100"])
    }

    /// The kernel's bitmap of ports does not support SCTP, and its hashes do not support the network of all addresses.
    @Test func aPortOfSCTPStandsBesideAllAddresses() {
        #expect(
            elements([PortBinding(1080, .sctp): PortRule(mark: 0x100)]) == [
                "mesh-mark-sctp4 sctp . 1080 . 0.0.0.0/1 : 0x100", "mesh-mark-sctp4 sctp . 1080 . 128.0.0.0/1 : 0x100",
                "mesh-mark-sctp6 sctp . 1080 . ::/1 : 0x100", "mesh-mark-sctp6 sctp . 1080 . 8000::/1 : 0x100",
            ])
    }

    @Test func whoIsAllowedIsSplitByFamily() {
        #expect(
            elements([PortBinding(1080, .tcp): PortRule(mark: 0x100, allowed: ["10.0.0.0/8", "::/0"])]) == [
                "mesh-allow4 tcp . 1080 . 10.0.0.0/8", "mesh-allow6 tcp . 1080 . ::/1",
                "mesh-allow6 tcp . 1080 . 8000::/1", "mesh-mark-tcp 1080 : 0x100", "mesh-only-tcp 1080",
            ])
        #expect(
            elements([PortBinding(1080, .tcp): PortRule(mark: 0x100, allowed: [])]) == [
                "mesh-mark-tcp 1080 : 0x100", "mesh-only-tcp 1080",
            ])
    }

    @Test func aBoundPortIsOfItsFamilyAlone() {
        #expect(
            elements([
                PortBinding(53, .udp, at: "fd00::1"): PortRule(
                    mark: 0x100, allowed: ["fd00::/16", "10.0.0.0/8"], target: 5353)
            ]) == [
                "mesh-allow-at6 fd00::1 . udp . 53 . fd00::/16", "mesh-mark-at6 fd00::1 . udp . 53 : 0x100",
                "mesh-only-at6 fd00::1 . udp . 53", "mesh-target6 0x100 . fd00::1 . udp . 53 : 5353",
            ])
    }

    @Test func aTranslatedPortIsARuleForEachFamily() {
        let rules = [PortBinding(1081, .tcp): PortRule(mark: 0x100, target: 80)]
        #expect(
            elements(rules) == [
                "mesh-mark-tcp 1081 : 0x100", "mesh-target4 0x100 . tcp . 1081 : 80",
                "mesh-target6 0x100 . tcp . 1081 : 80",
            ])
        #expect(
            elements([PortBinding(1081, .tcp): PortRule(mark: 0x100, target: 80, families: [.ipv6])]) == [
                "mesh-mark-tcp 1081 : 0x100", "mesh-target6 0x100 . tcp . 1081 : 80",
            ], "in the other nobody balances it")
        #expect(
            elements([PortBinding(80...90, .tcp): PortRule(mark: 0x100, target: 80)])
                == ["mesh-mark-tcp 80-90 : 0x100"], "it is the same port")
    }

    /// Each family costs a process at every look.
    @Test func theOtherEndOfADetourIsOfOneFamily() {
        let backend = IPTablesBackend(in: .current, families: [.ipv4, .ipv6])
        #expect(backend.families(of: .turnaround(node: ["10.0.0.1"])) == [.ipv4])
        #expect(backend.families(of: .balancer(detour: nil)) == [.ipv4, .ipv6])
        #expect(
            IPTablesBackend(in: .current, families: [.ipv4]).families(of: .turnaround(node: ["fd00::1"])).isEmpty)
    }

    @Test func theRestIsAddresses() {
        let found = elements([:]) {
            $0.tasks = ["10.0.0.2", "fd00::2"]
            $0.answering = [TaskPorts("10.0.0.2", .tcp, 80...80), TaskPorts("fd00::2", .sctp, 70...79)]
            $0.masqueraded = [BalancedPath(0x100, to: "10.0.0.2"), BalancedPath(0x101, to: "10.0.0.2")]
            $0.hairpins = ["10.0.0.0/24"]
            $0.virtualAddresses = ["10.200.0.1": 0x102]
        }
        #expect(
            found == [
                "mesh-answer4 10.0.0.2 . tcp . 80", "mesh-answer6 fd00::2 . sctp . 70-79", "mesh-hairpin4 10.0.0.0/24",
                "mesh-snat4 0x100 . 10.0.0.2", "mesh-snat4 0x101 . 10.0.0.2",
                "mesh-task4 10.0.0.2", "mesh-task6 fd00::2", "mesh-vip4 10.200.0.1 : 0x102",
            ])
    }

    @Test func withoutIPv6NothingOfItIsRendered() {
        var rules = RuleSet()
        rules.ports = [PortBinding(1080, .sctp): PortRule(mark: 0x100, allowed: ["::/0"], target: 80)]
        rules.tasks = ["fd00::2"]
        let rendered = IPTablesBackend(in: .current, families: [.ipv4]).render(rules)
        #expect((rendered.elements.map(\.set) + rendered.order).allSatisfy { !$0.hasSuffix("6") })
    }

    @Test func whatAPacketMeetsLastComesFirst() {
        var rules = RuleSet()
        rules.ports = [PortBinding(1080, .tcp): PortRule(mark: 0x100)]
        let rendered = IPTablesBackend(in: .current, families: [.ipv4]).render(rules)
        #expect(
            rendered.order == [
                "mesh-answer4", "mesh-task4", "mesh-hairpin4", "mesh-snat4", "mesh-inside4", "mesh-target4",
                "mesh-allow4", "mesh-allow-at4", "mesh-only-tcp", "mesh-only-udp", "mesh-only-sctp4", "mesh-only-at4",
                "mesh-in-at4", "mesh-in-tcp", "mesh-in-udp", "mesh-in-sctp4", "mesh-mark-at4", "mesh-mark-tcp",
                "mesh-mark-udp", "mesh-mark-sctp4", "mesh-vip4",
            ])
        #expect(rendered.setsBehindIPVS == ["mesh-answer4", "mesh-task4", "mesh-hairpin4", "mesh-snat4"])
        #expect(
            rendered.setsWithSinglePorts == Set(rendered.order[6...].filter { $0 != "mesh-vip4" } + ["mesh-answer4"]))
        #expect(IPTablesBackend(in: .current).render(RuleSet()).role == nil)
    }
}
