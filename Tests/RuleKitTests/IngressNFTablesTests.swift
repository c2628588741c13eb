import IPVSKit
import Testing

@testable import RuleKit

/// The rules of nftables for connections that go into a sandbox, for the sandbox, and for a task behind it.
@Suite struct IngressNFTablesTests {
    private func rules(_ chain: String, _ role: RuleRole) -> [String]? {
        NFTablesSkeleton(role).chains.first { $0.name == chain }?.rules
    }

    private func hook(_ chain: String, _ role: RuleRole) -> String? {
        NFTablesSkeleton(role).chains.first { $0.name == chain }?.hook
    }

    @Test func aPortElsewhereIsMarkedAndCheckedButNotBalanced() {
        var rules = RuleSet(role: .balancer(detour: nil, ingress: .example))
        rules.ports = [
            PortBinding(1080, .tcp): PortRule(mark: 0x100, target: 80),
            PortBinding(1081, .tcp): PortRule(mark: 0x101, allowed: ["10.0.0.0/8"], target: 80, isElsewhere: true),
            PortBinding(2000...2001, .udp): PortRule(mark: 0x102, twin: 3000, isElsewhere: true),
            PortBinding(53, .udp, at: "fd00::1"): PortRule(mark: 0x103, isElsewhere: true),
        ]
        rules.insiders = ["10.0.0.0/8", "10.1.0.0/16", "fd00::/64"]
        #expect(
            NFTablesBackend.render(rules).elements.map(\.description).sorted() == [
                "allowed4 0x101 . 10.0.0.0/8", "counters 0x100 : tcp-1080", "counters 0x101 : tcp-1081",
                "counters 0x102 : udp-2000-2001", "counters 0x103 : udp-53-at-fd00__1", "elsewhere 0x101",
                "elsewhere 0x102", "elsewhere 0x103", "insiders4 10.0.0.0/8", "insiders6 fd00::/64",
                "marks tcp . 1080 : 0x100", "marks tcp . 1081 : 0x101", "marks_at6 fd00::1 . udp . 53 : 0x103",
                "published 0x100", "ranges_udp 2000-2001 : 0x102", "restricted 0x101", "targets4 0x100 . 1080 : 80",
                "targets6 0x100 . 1080 : 80",
            ])
    }

    @Test func newConnectionsGoIntoTheSandbox() {
        let role = RuleRole.balancer(detour: nil, ingress: .example)
        let toSandbox = [
            "meta mark @elsewhere meta nfproto ipv4 dnat ip to 169.254.113.6",
            "meta mark @elsewhere meta nfproto ipv6 dnat ip6 to fd71::6",
        ]
        #expect(rules("nat-prerouting", role) == toSandbox + ["jump translate"])
        #expect(
            rules("nat-output", role) == ["ip daddr 127.0.0.0/8 goto detour", "ip6 daddr ::1 goto detour"] + toSandbox
                + ["jump translate"])
        #expect(rules("unmark", role) == ["meta mark @elsewhere meta mark set 0x00000000"])
        #expect(hook("unmark", role) == "type filter hook output priority -99", "between the translation and IPVS")
        #expect(hook("unmark", .balancer(detour: .example)) == nil)
        #expect(rules("prerouting", role) == rules("prerouting", .balancer(detour: nil)))
        #expect(rules("restrict", role) == rules("restrict", .balancer(detour: nil)))
    }

    /// The most specific lookup decides. Where none finds anything, the mark is not touched.
    @Test func aConnectionToALoopbackAddressIsLookedUpFirst() {
        let role = RuleRole.balancer(detour: .example, ingress: .example)
        #expect(
            rules("detour", role) == [
                "meta mark set ip daddr . meta l4proto . th dport map @marks_at4 goto leave",
                "meta mark set ip6 daddr . meta l4proto . th dport map @marks_at6 goto leave",
                "meta mark set meta l4proto . th dport map @marks goto leave",
                "meta mark set tcp dport map @ranges_tcp goto leave",
                "meta mark set udp dport map @ranges_udp goto leave",
                "meta mark set sctp dport map @ranges_sctp goto leave",
            ])
        let sandbox = [
            "meta mark @elsewhere meta nfproto ipv4 meta mark set 0x00000000 dnat ip to 169.254.113.6",
            "meta mark @elsewhere meta nfproto ipv6 meta mark set 0x00000000 dnat ip6 to fd71::6",
        ]
        let helper = "meta mark @published meta nfproto ipv4 meta mark set 0x00000000 dnat ip to 169.254.113.2"
        #expect(rules("leave", role) == sandbox + [helper, "meta mark set 0x00000000"])
        #expect(
            rules("leave", .balancer(detour: nil, ingress: .example)) == sandbox + ["meta mark set 0x00000000"],
            "a port that is balanced here stays unmarked")
        #expect(rules("leave", .balancer(detour: .example)) == [helper, "meta mark set 0x00000000"])
        #expect(rules("detour", .balancer(detour: nil)) == nil && rules("leave", .balancer(detour: nil)) == nil)
    }

    /// The order of our text: a reader finds a chain above the rules that lead to it.
    @Test func chainsStandBeforeThoseThatLeadToThem() {
        for role in RuleRole.examples {
            var declared: Set<String> = []
            for chain in NFTablesSkeleton(role).chains {
                for rule in chain.rules {
                    let words = rule.split(separator: " ").map(String.init)
                    guard let verb = words.firstIndex(where: { $0 == "jump" || $0 == "goto" }) else { continue }
                    #expect(declared.contains(words[verb + 1]), "\(chain.name): \(rule)")
                }
                declared.insert(chain.name)
            }
        }
    }

    @Test func aFamilyThatTheSandboxLacksStaysOnTheNode() {
        var path = IngressPath.example
        path.addresses = ["169.254.113.6"]
        let role = RuleRole.balancer(detour: nil, ingress: path)
        #expect(
            rules("nat-output", role) == [
                "ip daddr 127.0.0.0/8 goto detour", "meta mark @elsewhere meta nfproto ipv4 dnat ip to 169.254.113.6",
                "jump translate",
            ])
        #expect(rules("detour", role)?.contains { $0.contains("ip6") } == false)
        path.addresses = ["fd71::6"]
        #expect(
            rules("nat-output", .balancer(detour: nil, ingress: path)) == [
                "ip6 daddr ::1 goto detour", "meta mark @elsewhere meta nfproto ipv6 dnat ip6 to fd71::6",
                "jump translate",
            ])
    }

    @Test func whoTheSandboxCannotAnswerGetsTheNodesAddress() {
        #expect(
            rules("nat-postrouting", .balancer(detour: nil, ingress: .example))?.suffix(8) == [
                "oifname \"mesh_sbox\" ip saddr 127.0.0.0/8 masquerade",
                "oifname \"mesh_sbox\" ip6 saddr ::1 masquerade",
                "oifname \"mesh_sbox\" ip saddr 172.18.0.0/16 masquerade",
                "oifname \"mesh_sbox\" ip6 saddr fd18::/64 masquerade",
                "oifname \"mesh_sbox\" ip saddr @insiders4 masquerade",
                "oifname \"mesh_sbox\" ip6 saddr @insiders6 masquerade",
                "ip saddr 172.18.0.0/16 oifname != \"mesh_gw\" oifname != \"mesh_sbox\" masquerade",
                "ip6 saddr fd18::/64 oifname != \"mesh_gw\" oifname != \"mesh_sbox\" masquerade",
            ])
    }

    /// Whoever is masqueraded has been before.
    @Test func theSandboxTranslatesSourcePortsLast() {
        let role = RuleRole.balancer(detour: nil, sourcePorts: 1024...21023)
        #expect(
            rules("nat-postrouting", role)! == rules("nat-postrouting", .balancer(detour: nil))! + [
                "meta mark @published meta nfproto ipv4 meta l4proto { tcp, udp, sctp } snat to :1024-21023",
                "meta mark @published meta nfproto ipv6 meta l4proto { tcp, udp, sctp } snat to :1024-21023",
            ])
        #expect(rules("nat-prerouting", role) == ["jump translate"])
    }

    /// Other packets pay for one rule alone, behind those that drop.
    @Test func theSandboxLowersTheSegmentsOfBothEnds() {
        let role = RuleRole.balancer(detour: nil, mtu: 1450)
        #expect(
            rules("prerouting", role)! == rules("prerouting", .balancer(detour: nil))! + [
                "tcp flags syn jump segments"
            ])
        #expect(
            rules("segments", role) == [
                "meta nfproto ipv4 tcp option maxseg size set 1410",
                "meta nfproto ipv6 tcp option maxseg size set 1390",
            ])
        #expect(hook("segments", role) == nil && rules("segments", .balancer(detour: nil)) == nil)
        let others = NFTablesSkeleton(role).chains.filter { !["prerouting", "segments"].contains($0.name) }
        #expect(
            others == NFTablesSkeleton(.balancer(detour: nil)).chains.filter { $0.name != "prerouting" },
            "everything else is as without an overlay")
    }

    @Test func aSegmentIsWhatTheHeadersLeave() {
        #expect(AddressFamily.ipv4.segmentSize(in: 1500) == 1460 && AddressFamily.ipv6.segmentSize(in: 1500) == 1440)
        #expect(AddressFamily.ipv4.segmentSize(in: 8950) == 8910 && AddressFamily.ipv6.segmentSize(in: 1280) == 1220)
        #expect(AddressFamily.ipv4.segmentSize(in: 20) == 0 && AddressFamily.ipv6.segmentSize(in: .max) == .max)
    }

    @Test func aTaskRepliesToTheSandboxThatSent() {
        let role = RuleRole.task(.example)
        #expect(
            rules("prerouting", role) == [
                "iifname \"eth0\" ether saddr 02:42:0a:ff:00:02 ct state new ct mark set 0x00000201",
                "iifname \"eth0\" ether saddr 02:42:0a:ff:00:03 ct state new ct mark set 0x00000202",
                "iifname \"eth0\" ether saddr != { 02:42:0a:ff:00:02, 02:42:0a:ff:00:03 } ct state new "
                    + "meta l4proto { tcp, udp, sctp } counter drop",
            ])
        #expect(
            rules("output", role) == [
                "ct direction reply ct mark { 0x00000201, 0x00000202 } meta mark set ct mark"
            ])
        #expect(hook("output", role) == "type route hook output priority mangle")
        #expect(
            rules("nat-prerouting", role) == [
                "iifname \"eth0\" ip saddr != 10.255.0.0/16 dnat ip to 172.18.0.11",
                "iifname \"eth0\" ip6 saddr != fd25::/64 ip6 saddr != fe80::/10 dnat ip6 to fd18::11",
            ])
        #expect(rules("nat-input", role) == [] && hook("nat-input", role) == "type nat hook input priority 100")
        #expect(rules("nat-postrouting", role) == [])
        #expect(NFTablesSkeleton(role).sets.isEmpty)
    }

    /// Everything else is as without zones.
    @Test func aTaskHasAZoneForEachSandbox() {
        let role = RuleRole.task(.zoned)
        #expect(
            rules("zoning", role) == [
                "iifname \"eth0\" ether saddr 02:42:0a:ff:00:02 ct original zone set 513",
                "iifname \"eth0\" ether saddr 02:42:0a:ff:00:03 ct original zone set 514",
            ])
        #expect(hook("zoning", role) == "type filter hook prerouting priority raw", "before conntrack")
        let others = NFTablesSkeleton(role).chains.filter { $0.name != "zoning" }
        #expect(others == NFTablesSkeleton(.task(.example)).chains)
    }

    @Test func aTaskBesideOneSandboxAndNothingToTranslate() {
        var path = TaskReturn.example
        path.senders.removeLast()
        path.destinations = []
        #expect(rules("output", .task(path)) == ["ct direction reply ct mark 0x00000201 meta mark set ct mark"])
        #expect(rules("nat-prerouting", .task(path)) == [])
        #expect(
            rules("prerouting", .task(path))?.last
                == "iifname \"eth0\" ether saddr != 02:42:0a:ff:00:02 ct state new meta l4proto { tcp, udp, sctp } "
                + "counter drop")
        path.senders = []
        #expect(rules("output", .task(path)) == [] && rules("prerouting", .task(path)) == [])
    }

    @Test func theTextsAreReadBackAsWritten() {
        for role in RuleRole.examples {
            let listing = NFTablesListing(NFTablesSkeleton(role).text)
            #expect(listing.faults(against: listing).isEmpty)
            for other in RuleRole.examples where other != role {
                #expect(!listing.faults(against: NFTablesListing(NFTablesSkeleton(other).text)).isEmpty)
            }
        }
    }

    @Test func whatHasAPathOrATaskIsNotEmpty() {
        for role in RuleRole.examples {
            #expect(NFTablesBackend.render(RuleSet(role: role)).role == role)
            #expect(IPTablesBackend.render(RuleSet(role: role), families: [.ipv4]).role == role)
        }
        #expect(RuleSet(role: .balancer(detour: nil, sourcePorts: 1024...2047, mtu: 1450)).isEmpty)
    }

    /// An interval of one address is two elements: its beginning, and the first address behind it.
    @Test func aNetworkIsFoundFromItsEnds() {
        func element(_ set: NFTablesSet, _ first: IPAddress, _ behind: IPAddress?) -> SetElement {
            set.element(of: SetElement(set.rawValue, prefix: IPPrefix(first)), from: first, to: behind)
        }
        #expect(element(.insiders4, "10.0.0.0", "11.0.0.0").description == "insiders4 10.0.0.0/8")
        #expect(element(.insiders4, "10.0.0.1", "10.0.0.2").description == "insiders4 10.0.0.1/32")
        #expect(element(.insiders4, "128.0.0.0", nil).description == "insiders4 128.0.0.0/1")
        #expect(element(.insiders6, "fd00::", "fd00:0:0:1::").description == "insiders6 fd00::/64")
        let stray = element(.insiders4, "10.0.0.1", "10.0.0.9")
        #expect(stray.description == "insiders4 10.0.0.1-10.0.0.8")
        #expect(stray.stray?.bytes == [10, 0, 0, 1, 10, 0, 0, 9])
        #expect(element(.insiders4, "10.0.0.1", nil).stray?.bytes == [10, 0, 0, 1])
    }
}
