import IPVSKit
import Testing

@testable import RuleKit

/// The rules of iptables for connections that go into a sandbox, for the sandbox, and for a task behind it.
@Suite struct IngressIPTablesTests {
    private func lines(_ chain: String, _ role: RuleRole, _ family: AddressFamily = .ipv4) -> [String]? {
        Skeleton(role: role, family: family).chains.first { $0.name == chain }.map { $0.jumpLines() + $0.ruleLines() }
    }

    @Test func aPortElsewhereHasNoMark() {
        var rules = RuleSet(role: .balancer(detour: nil, ingress: .example))
        rules.ports = [
            PortBinding(1080, .tcp): PortRule(mark: 0x100, target: 80),
            PortBinding(1081, .tcp): PortRule(mark: 0x101, allowed: ["10.0.0.0/8"], target: 80, isElsewhere: true),
            PortBinding(2000...2001, .udp): PortRule(mark: 0x102, twin: 3000, isElsewhere: true),
            PortBinding(1082, .sctp): PortRule(mark: 0x103, isElsewhere: true),
            PortBinding(53, .udp, at: "fd00::1"): PortRule(mark: 0x104, allowed: [], isElsewhere: true),
        ]
        rules.insiders = ["10.0.0.0/8", "10.1.0.0/16", "::/0"]
        #expect(
            IPTablesBackend.render(rules, families: [.ipv4, .ipv6]).elements.map(\.description).sorted() == [
                "mesh-allow4 tcp . 1081 . 10.0.0.0/8", "mesh-in-at6 fd00::1 . udp . 53",
                "mesh-in-sctp4 sctp . 1082 . 0.0.0.0/1", "mesh-in-sctp4 sctp . 1082 . 128.0.0.0/1",
                "mesh-in-sctp6 sctp . 1082 . 8000::/1", "mesh-in-sctp6 sctp . 1082 . ::/1", "mesh-in-tcp 1081",
                "mesh-in-udp 2000-2001", "mesh-inside4 10.0.0.0/8", "mesh-inside6 8000::/1", "mesh-inside6 ::/1",
                "mesh-mark-tcp 1080 : 0x100", "mesh-only-at6 fd00::1 . udp . 53", "mesh-only-tcp 1081",
                "mesh-target4 0x100 . tcp . 1080 : 80", "mesh-target6 0x100 . tcp . 1080 : 80",
            ])
    }

    /// Twins elsewhere cost no rule here.
    @Test func twinsElsewhereAreNotCounted() {
        var rules = RuleSet()
        for port in 1000...1100 as ClosedRange<UInt16> {
            let mark = FirewallMark(rawValue: 0x100 + UInt32(port))!
            rules.ports[PortBinding(port, .tcp)] = PortRule(mark: mark, twin: 80, isElsewhere: port != 1000)
        }
        let targets = IPTablesBackend.render(rules, families: [.ipv4]).elements.filter { $0.set == "mesh-target4" }
        #expect(targets.map(\.description) == ["mesh-target4 0x4e8 . tcp . 1000 : 80"])
    }

    /// A port is open as soon as it is in its set: who may connect has to be in the sets by then.
    @Test func aPortElsewhereComesAfterWhoMayConnect() {
        var rules = RuleSet(role: .balancer(detour: nil, ingress: .example))
        rules.ports[PortBinding(1081, .tcp)] = PortRule(mark: 0x101, allowed: ["10.0.0.0/8"], isElsewhere: true)
        let (additions, _) = IPTablesBackend.render(rules, families: [.ipv4]).changes(from: ObservedRules())
        let sets = additions.compactMap { if case .put(let element, _) = $0 { element.set } else { nil } }
        #expect(sets == ["mesh-allow4", "mesh-only-tcp", "mesh-in-tcp"])
    }

    @Test func newConnectionsGoIntoTheSandbox() {
        let role = RuleRole.balancer(detour: .example, ingress: .example)
        let jumps = [
            "-A PREROUTING -m addrtype --dst-type LOCAL -j MESH-INGRESS",
            "-A OUTPUT -m addrtype --dst-type LOCAL -j MESH-INGRESS",
        ]
        #expect(
            lines("MESH-INGRESS", role) == jumps + [
                "-A MESH-INGRESS ! -d 127.0.0.0/8 -p tcp -m set --match-set mesh-mark-tcp dst -j RETURN",
                "-A MESH-INGRESS ! -d 127.0.0.0/8 -p udp -m set --match-set mesh-mark-udp dst -j RETURN",
                "-A MESH-INGRESS ! -d 127.0.0.0/8 -p sctp -m set --match-set mesh-mark-sctp4 dst,dst -j RETURN",
                "-A MESH-INGRESS ! -d 127.0.0.0/8 -m set --match-set mesh-mark-at4 dst,dst -j RETURN",
                "-A MESH-INGRESS -p tcp -m set --match-set mesh-in-tcp dst -j DNAT --to-destination 169.254.113.6",
                "-A MESH-INGRESS -p udp -m set --match-set mesh-in-udp dst -j DNAT --to-destination 169.254.113.6",
                "-A MESH-INGRESS -p sctp -m set --match-set mesh-in-sctp4 dst,dst -j DNAT --to-destination 169.254.113.6",
                "-A MESH-INGRESS -m set --match-set mesh-in-at4 dst,dst -j DNAT --to-destination 169.254.113.6",
            ])
        #expect(
            lines("MESH-INGRESS", role, .ipv6) == jumps + [
                "-A MESH-INGRESS -s fe80::/10 -j RETURN", "-A MESH-INGRESS -d fe80::/10 -j RETURN",
                "-A MESH-INGRESS ! -d ::1/128 -p tcp -m set --match-set mesh-mark-tcp dst -j RETURN",
                "-A MESH-INGRESS ! -d ::1/128 -p udp -m set --match-set mesh-mark-udp dst -j RETURN",
                "-A MESH-INGRESS ! -d ::1/128 -p sctp -m set --match-set mesh-mark-sctp6 dst,dst -j RETURN",
                "-A MESH-INGRESS ! -d ::1/128 -m set --match-set mesh-mark-at6 dst,dst -j RETURN",
                "-A MESH-INGRESS -p tcp -m set --match-set mesh-in-tcp dst -j DNAT --to-destination fd71::6",
                "-A MESH-INGRESS -p udp -m set --match-set mesh-in-udp dst -j DNAT --to-destination fd71::6",
                "-A MESH-INGRESS -p sctp -m set --match-set mesh-in-sctp6 dst,dst -j DNAT --to-destination fd71::6",
                "-A MESH-INGRESS -m set --match-set mesh-in-at6 dst,dst -j DNAT --to-destination fd71::6",
            ])
        for chain in ["MESH-IN", "MESH-MARK", "MESH-ALLOW", "MESH-TARGET", "MESH-DETOUR"] {
            #expect(lines(chain, role) == lines(chain, .balancer(detour: .example)), "\(chain) stays")
        }
        #expect(lines("MESH-INGRESS", .balancer(detour: .example)) == nil)
        var path = IngressPath.example
        path.addresses = ["169.254.113.6"]
        #expect(lines("MESH-INGRESS", .balancer(detour: nil, ingress: path), .ipv6) == nil)
    }

    @Test func whoTheSandboxCannotAnswerGetsTheNodesAddress() {
        let role = RuleRole.balancer(detour: nil, ingress: .example)
        let before = lines("MESH-SNAT", .balancer(detour: nil))!
        #expect(
            lines("MESH-SNAT", role)! == before + [
                "-A MESH-SNAT -s 127.0.0.0/8 -o mesh_sbox -j MASQUERADE",
                "-A MESH-SNAT -s 172.18.0.0/16 -o mesh_sbox -j MASQUERADE",
                "-A MESH-SNAT -o mesh_sbox -m set --match-set mesh-inside4 src -j MASQUERADE",
                "-A MESH-SNAT -s 172.18.0.0/16 ! -o mesh_gw -j MASQUERADE",
            ])
        #expect(
            lines("MESH-SNAT", role, .ipv6)!.suffix(4) == [
                "-A MESH-SNAT -s ::1/128 -o mesh_sbox -j MASQUERADE",
                "-A MESH-SNAT -s fd18::/64 -o mesh_sbox -j MASQUERADE",
                "-A MESH-SNAT -o mesh_sbox -m set --match-set mesh-inside6 src -j MASQUERADE",
                "-A MESH-SNAT -s fd18::/64 ! -o mesh_gw -j MASQUERADE",
            ])
    }

    @Test func theForwardChainLetsThemPass() {
        let role = RuleRole.balancer(detour: nil, ingress: .example)
        let others = lines("MESH-FORWARD", .balancer(detour: nil))!
        #expect(
            lines("MESH-FORWARD", role)! == others.prefix(1) + [
                "-A MESH-FORWARD -o mesh_sbox -m conntrack --ctstate DNAT -j ACCEPT",
                "-A MESH-FORWARD -i mesh_sbox -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                "-A MESH-FORWARD -i mesh_gw ! -o mesh_gw -j ACCEPT",
                "-A MESH-FORWARD -o mesh_gw -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ] + others.dropFirst())
        #expect(lines("MESH-FORWARD", role, .ipv6)!.count == lines("MESH-FORWARD", role)!.count)
    }

    /// Whoever is masqueraded has been before.
    @Test func theSandboxTranslatesSourcePortsLast() {
        let role = RuleRole.balancer(detour: nil, sourcePorts: 1024...21023)
        for family in AddressFamily.allCases {
            #expect(
                lines("MESH-SNAT", role, family)! == lines("MESH-SNAT", .balancer(detour: nil), family)! + [
                    "-A MESH-SNAT -p tcp -m ipvs --ipvs -j SNAT --to-source :1024-21023",
                    "-A MESH-SNAT -p udp -m ipvs --ipvs -j SNAT --to-source :1024-21023",
                    "-A MESH-SNAT -p sctp -m ipvs --ipvs -j SNAT --to-source :1024-21023",
                ])
        }
    }

    /// Other packets pay for one match alone, behind the chain that drops.
    @Test func theSandboxLowersTheSegmentsOfBothEnds() {
        let role = RuleRole.balancer(detour: nil, mtu: 1450)
        for (family, size) in [(.ipv4, 1410), (.ipv6, 1390)] as [(AddressFamily, Int)] {
            #expect(
                lines("MESH-MSS", role, family) == [
                    "-A PREROUTING -p tcp -m tcp --tcp-flags SYN SYN -j MESH-MSS",
                    "-A MESH-MSS -p tcp -m tcp --tcp-flags SYN SYN -j TCPMSS --set-mss \(size)",
                ])
            let chains = Skeleton(role: role, family: family).chains
            #expect(chains.last?.name == "MESH-MSS" && chains.last?.table == "mangle")
            #expect(
                chains.dropLast() == Skeleton(role: .balancer(detour: nil), family: family).chains[...],
                "everything else is as without an overlay")
        }
        #expect(lines("MESH-MSS", .balancer(detour: nil)) == nil)
        let jumps = saved(role).split(separator: "\n").filter { $0.hasPrefix("-A PREROUTING ") }
        #expect(
            jumps.compactMap { $0.split(separator: " ").last } == ["MESH-TARGET", "MESH-MSS", "MESH-IN"],
            "the last that is put first in a table is the first that a packet meets")
    }

    @Test func aTaskRepliesToTheSandboxThatSent() {
        let role = RuleRole.task(.example)
        #expect(
            lines("MESH-SENDER", role) == [
                "-A PREROUTING -m conntrack --ctstate NEW -j MESH-SENDER",
                "-A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:02 -j CONNMARK --set-xmark 0x201/0xffffffff",
                "-A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:02 -j RETURN",
                "-A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:03 -j CONNMARK --set-xmark 0x202/0xffffffff",
                "-A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:03 -j RETURN",
                "-A MESH-SENDER -i eth0 -p tcp -j DROP", "-A MESH-SENDER -i eth0 -p udp -j DROP",
                "-A MESH-SENDER -i eth0 -p sctp -j DROP",
            ])
        #expect(
            lines("MESH-RETURN", role) == [
                "-A OUTPUT -j MESH-RETURN",
                "-A MESH-RETURN -m conntrack --ctdir REPLY -m connmark --mark 0x201 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
                "-A MESH-RETURN -m conntrack --ctdir REPLY -m connmark --mark 0x202 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
            ])
        #expect(
            lines("MESH-TASK", role) == [
                "-A PREROUTING -j MESH-TASK", "-A MESH-TASK -s 10.255.0.0/16 -i eth0 -j RETURN",
                "-A MESH-TASK -i eth0 -j DNAT --to-destination 172.18.0.11",
            ])
        #expect(
            lines("MESH-TASK", role, .ipv6) == [
                "-A PREROUTING -j MESH-TASK", "-A MESH-TASK -s fd25::/64 -i eth0 -j RETURN",
                "-A MESH-TASK -s fe80::/10 -i eth0 -j RETURN",
                "-A MESH-TASK -i eth0 -j DNAT --to-destination fd18::11",
            ])
        #expect(lines("MESH-SNAT", role) == ["-A INPUT -j MESH-SNAT", "-A POSTROUTING -j MESH-SNAT"])
    }

    @Test func aTaskHasAZoneForEachSandbox() {
        let role = RuleRole.task(.zoned)
        for family in AddressFamily.allCases {
            #expect(
                lines("MESH-ZONE", role, family) == [
                    "-A PREROUTING -j MESH-ZONE",
                    "-A MESH-ZONE -i eth0 -m mac --mac-source 02:42:0a:ff:00:02 -j CT --zone-orig 513",
                    "-A MESH-ZONE -i eth0 -m mac --mac-source 02:42:0a:ff:00:03 -j CT --zone-orig 514",
                ])
        }
        #expect(Skeleton(role: role, family: .ipv4).chains.first { $0.name == "MESH-ZONE" }?.table == "raw")
        #expect(lines("MESH-ZONE", .task(.example)) == nil)
        #expect(lines("MESH-SENDER", role) == lines("MESH-SENDER", .task(.example)))
    }

    /// Both families are looked at, since the rules of a former task may be of either.
    @Test func aTaskHasRulesInItsFamiliesOnly() {
        var path = TaskReturn.example
        path.subnets = ["10.255.0.0/16"]
        path.destinations = []
        let backend = IPTablesBackend(in: .current, families: [.ipv4, .ipv6])
        #expect(backend.families(of: .task(.example)) == [.ipv4, .ipv6])
        #expect(backend.families(of: .task(path)) == [.ipv4, .ipv6])
        #expect(lines("MESH-TASK", .task(path)) == nil && lines("MESH-SENDER", .task(path)) != nil)
    }

    private func saved(_ role: RuleRole) -> String {
        SavedTables("").restoring(Skeleton(role: role, family: .ipv4), targets: TargetEdit(), family: .ipv4)
            .replacing("-I ", with: "-A ")
    }

    private func faults(_ text: String, _ role: RuleRole) -> [String] {
        SavedTables(text).faults(against: Skeleton(role: role, family: .ipv4), tool: "iptables", family: .ipv4)
            .map(\.description)
    }

    /// Versions of iptables-save print hardware addresses in upper or in lower case.
    @Test func theCaseOfAHardwareAddressDoesNotMatter() {
        let role = RuleRole.task(.example)
        let text = saved(role)
        #expect(text.contains("02:42:0a:ff:00:02") && faults(text, role).isEmpty)
        #expect(faults(text.replacing("02:42:0a:ff:00:02", with: "02:42:0A:FF:00:02"), role).isEmpty)
        #expect(
            faults(text.replacing("02:42:0a:ff:00:02", with: "02:42:0A:FF:00:04"), role) == [
                "iptables mangle MESH-SENDER: rule missing: -A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:02 "
                    + "-j CONNMARK --set-xmark 0x201/0xffffffff",
                "iptables mangle MESH-SENDER: rule missing: -A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:02 "
                    + "-j RETURN",
                "iptables mangle MESH-SENDER: rule not ours: -A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:04 "
                    + "-j CONNMARK --set-xmark 0x201/0xffffffff",
                "iptables mangle MESH-SENDER: rule not ours: -A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:04 "
                    + "-j RETURN",
            ])
    }

    /// What is not recognised as our own jump would stay behind.
    @Test func everyJumpOfEveryRoleIsKnown() {
        for role in RuleRole.examples {
            for family in AddressFamily.allCases {
                let jumps = Skeleton(role: role, family: family).chains.flatMap { $0.jumpLines() }
                #expect(Skeleton.allJumpLines.isSuperset(of: jumps))
            }
            let tables = SavedTables(saved(role))
            #expect(faults(saved(role), role).isEmpty && tables.tables.values.allSatisfy(\.foreignJumps.isEmpty))
            let rest = tables.removing().split(separator: "\n")
            #expect(rest.count { $0.hasPrefix("-D ") } == Skeleton(role: role, family: .ipv4).jumpCount)
            #expect(rest.count { $0.hasPrefix("-X ") } == Skeleton(role: role, family: .ipv4).chains.count)
        }
        let former = SavedTables(
            "*nat\n:MESH-DETOUR - [0:0]\n-A OUTPUT -m addrtype --dst-type LOCAL -j MESH-DETOUR\nCOMMIT\n")
        #expect(former.removing().contains("-D OUTPUT -m addrtype --dst-type LOCAL -j MESH-DETOUR\n"))
    }

    @Test func oneRoleIsNotTakenForAnother() {
        for role in RuleRole.examples {
            for other in RuleRole.examples where other != role { #expect(!faults(saved(role), other).isEmpty) }
        }
    }

    @Test func insidersAreReadBack() {
        let set = IPSet(.insiders, .ipv4)
        let contents = IPSetContents(
            set,
            saved: "create mesh-inside4 \(set.definition)\nadd mesh-inside4 10.0.0.0/8\nadd mesh-inside4 10.1.2.3\n")
        #expect(set.works(as: contents.definition))
        #expect(contents.elements.map(\.description) == ["mesh-inside4 10.0.0.0/8", "mesh-inside4 10.1.2.3/32"])
        #expect(
            contents.elements.flatMap(set.additions) == [
                "add mesh-inside4 10.0.0.0/8 -exist", "add mesh-inside4 10.1.2.3/32 -exist",
            ])
    }
}

extension Skeleton {
    fileprivate var jumpCount: Int { chains.reduce(0) { $0 + $1.jumps.count } }
}
