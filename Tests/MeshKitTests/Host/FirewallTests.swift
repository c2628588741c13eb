import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct FirewallTests {
    static let node: Set<IPAddress> = ["127.0.0.1", "::1", "10.0.1.10", "fd00::10"]

    /// A verdict in a line.
    static func text(_ verdict: Firewall.Verdict?) -> String {
        switch verdict {
        case nil: "cannot tell"
        case .accepted: "accepted"
        case .dropped(let site): "dropped: \(site.text)"
        case .undecided(let site): "program: \(site.text)"
        case .depends(let site, otherwiseDropped: true): "only: \(site.text)"
        case .depends(let site, otherwiseDropped: false): "not: \(site.text)"
        }
    }

    static func publishing(
        _ port: PortBinding, in rules: HostRules, families: Set<AddressFamily> = [.ipv4], last: UInt16? = nil
    ) async -> Firewall.Answer? {
        await Firewall(rules).answer(
            publishing: port.transport, ports: port.ports.lowerBound...(last ?? port.ports.upperBound), at: node,
            families: families)
    }

    @Test(
        arguments: [
            (1080, .tcp, "dropped: policy DROP"),
            (80, .tcp, "accepted"),
            (6003, .tcp, "accepted"),
            (6003, .udp, "dropped: policy DROP"),
            (445, .tcp, "dropped: -A ufw-skip-to-policy-input -j DROP"),
            (5353, .udp, "dropped: policy DROP"),
            (
                22, .tcp,
                "not: -A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 "
                    + "--hitcount 6 --name DEFAULT --mask 255.255.255.255 --rsource -j ufw-user-limit"
            ),
            (5432, .tcp, "only: -A ufw-user-input -s 192.168.1.0/24 -p tcp -m tcp --dport 5432 -j ACCEPT"),
        ] as [(UInt16, TransportProtocol, String)])
    func ufw(port: UInt16, transport: TransportProtocol, verdict: String) async {
        let answer = await Self.publishing(PortBinding(port, transport), in: HostRules(iptables: HostTexts.ufw))
        #expect(Self.text(answer?.verdict) == verdict)
        let isOpen = verdict == "accepted" || verdict.hasPrefix("not:")
        #expect(answer?.advice == (isOpen ? [] : ["ufw allow \(port)/\(transport)"]))
    }

    @Test(
        arguments: [
            (1080, .tcp, "dropped: reject"),
            (22, .tcp, "accepted"),
            (9090, .tcp, "accepted"),
            (9090, .udp, "dropped: reject"),
        ] as [(UInt16, TransportProtocol, String)])
    func firewalld(port: UInt16, transport: TransportProtocol, verdict: String) async {
        let answer = await Self.publishing(
            PortBinding(port, transport), in: HostRules(nft: HostTexts.firewalld), families: [.ipv4, .ipv6])
        #expect(Self.text(answer?.verdict) == verdict)
        let option = "--add-port=\(port)/\(transport)"
        #expect(
            answer?.advice
                == (verdict == "accepted" ? [] : ["firewall-cmd \(option)", "firewall-cmd --permanent \(option)"]))
    }

    /// Each line of a ruleset that is written by hand: see what it has for the port.
    @Test(
        arguments: [
            (1080, .tcp, "dropped: reject"),
            (80, .tcp, "accepted"),
            (1005, .tcp, "accepted"),
            (80, .udp, "dropped: reject"),
            (8005, .tcp, "accepted"),
            (9000, .tcp, "accepted"),
            (53, .tcp, "accepted"),
            (53, .udp, "accepted"),
            (53, .sctp, "dropped: reject"),
            (70, .tcp, "accepted"),
            (71, .tcp, "dropped: reject"),
            (71, .udp, "accepted"),
            (5432, .tcp, "only: ip saddr @nets tcp dport 5432 accept"),
            (4000, .tcp, "accepted"),
            (4001, .tcp, "dropped: reject"),
            (4002, .tcp, "dropped: tcp dport 4002 drop"),
            (4006, .tcp, "dropped: tcp dport vmap { 4000 : accept, 4001-4005 : jump web, 4006 : drop }"),
            (123, .udp, "accepted"),
            (6000, .tcp, "only: iifname { eth0, wg* } tcp dport 6000 log accept"),
            (60001, .tcp, "accepted"),
            (61, .tcp, "accepted"),
            (500, .udp, "only: udp dport 500 meter accept"),
        ] as [(UInt16, TransportProtocol, String)])
    func handwritten(port: UInt16, transport: TransportProtocol, verdict: String) async {
        // Two rules of it ask for what no packet tells, whatever its port: a mark and a rate.
        let nft = HostTexts.handwritten.split(separator: "\n")
            .filter { !$0.contains(#""key": "mark""#) && !$0.contains(#"{"limit": {"rate": 3"#) }
        let answer = await Self.publishing(
            PortBinding(port, transport),
            in: HostRules(nft: [nft.joined(separator: "\n")], sets: HostTexts.answers, unread: []))
        #expect(Self.text(answer?.verdict) == verdict)
        let isOpen = verdict == "accepted"
        #expect(
            answer?.advice
                == (isOpen ? [] : ["nft insert rule inet filter input \(transport) dport \(port) accept"]))
    }

    @Test func aRateAndAMarkAreLeftOpen() async {
        let answer = await Self.publishing(
            PortBinding(1080, .tcp), in: HostRules(nft: [HostTexts.handwritten], sets: HostTexts.answers, unread: []))
        #expect(
            Self.text(answer?.verdict)
                == "only: tcp flags & fin,syn,rst,ack == syn limit rate 3/second accept")
    }

    @Test func eachPartOfARangeIsAsked() async {
        let open = Self.input(
            "INPUT -p tcp -m tcp --dport 1000:1005 -j ACCEPT", "INPUT -p tcp -m tcp --dport 1006:1010 -j ACCEPT")
        let web = PortBinding(1000, .tcp)
        #expect(await Self.publishing(web, in: HostRules(iptables: open), last: 1010)?.verdict == .accepted)
        let answer = await Self.publishing(web, in: HostRules(iptables: open), last: 1011)
        #expect(Self.text(answer?.verdict) == "dropped: policy DROP")
        #expect(answer?.advice == ["iptables -I INPUT -p tcp --dport 1000:1011 -j ACCEPT"])
        let hole = Self.input(policy: "ACCEPT", "INPUT -p tcp -m tcp --dport 1007 -j DROP")
        #expect(
            await Self.text(Self.publishing(web, in: HostRules(iptables: hole), last: 1010)?.verdict)
                == "dropped: -A INPUT -p tcp -m tcp --dport 1007 -j DROP")
    }

    @Test(arguments: [
        (HostRules(iptables: HostTexts.ufw), ["ufw allow 1000:1010/tcp"]),
        (
            HostRules(nft: HostTexts.firewalld),
            ["firewall-cmd --add-port=1000-1010/tcp", "firewall-cmd --permanent --add-port=1000-1010/tcp"]
        ),
        (
            HostRules(
                nft: #"""
                    {"nftables": [{"table": {"family": "inet", "name": "filter", "handle": 1}},
                    {"chain": {"family": "inet", "table": "filter", "name": "in", "handle": 1, "type": "filter",
                     "hook": "input", "prio": 0, "policy": "drop"}}]}
                    """#), ["nft insert rule inet filter in tcp dport 1000-1010 accept"]
        ),
    ])
    func adviceForARange(rules: HostRules, lines: [String]) async {
        #expect(await Self.publishing(PortBinding(1000, .tcp), in: rules, last: 1010)?.advice == lines)
    }

    /// Its chains stay until the next boot, and say nothing any more.
    /// Nobody's own address is asked for: what is dropped is what is dropped whoever sends it.
    @Test func forwardsForOthersUnlessItIsDropped() async {
        for (policy, isForwarding) in [("ACCEPT", true), ("DROP", false)] {
            let rules = HostRules(
                iptables: """
                    *filter
                    :INPUT ACCEPT [0:0]
                    :FORWARD \(policy) [0:0]
                    -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
                    -A FORWARD -i docker0 -j ACCEPT
                    COMMIT

                    """)
            #expect(await Firewall(rules).forwardsForOthers(.ipv4) == isForwarding)
        }
        #expect(await Firewall(HostRules()).forwardsForOthers(.ipv4))
    }

    @Test func ufwSwitchedOffIsNotAdvised() async {
        let text = "*filter\n:INPUT DROP [0:0]\n:ufw-user-input - [0:0]\nCOMMIT\n"
        #expect(
            await Self.publishing(PortBinding(1080, .tcp), in: HostRules(iptables: text))?.advice
                == ["iptables -I INPUT -p tcp --dport 1080 -j ACCEPT"])
    }

    @Test func ufwKnowsNoSCTP() async {
        #expect(
            await Self.publishing(PortBinding(3868, .sctp), in: HostRules(iptables: HostTexts.ufw))?.advice
                == ["iptables -I INPUT -p sctp --dport 3868 -j ACCEPT"])
    }

    @Test func theWorstOfAllTablesAndFamiliesCounts() async {
        let open = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
        let shut = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
        let web = PortBinding(1080, .tcp)
        let both = HostRules(iptables: shut, ip6tables: shut, nft: HostTexts.firewalld)
        #expect(
            await Self.publishing(web, in: both, families: [.ipv4, .ipv6])?.advice == [
                "iptables -I INPUT -p tcp --dport 1080 -j ACCEPT", "ip6tables -I INPUT -p tcp --dport 1080 -j ACCEPT",
                "firewall-cmd --add-port=1080/tcp", "firewall-cmd --permanent --add-port=1080/tcp",
            ])
        let one = HostRules(iptables: open, ip6tables: shut)
        #expect(await Self.publishing(web, in: one)?.verdict == .accepted)
        #expect(
            await Self.text(Self.publishing(web, in: one, families: [.ipv4, .ipv6])?.verdict) == "dropped: policy DROP")
        let mangle = HostRules(iptables: open + "*mangle\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j DROP\nCOMMIT\n")
        #expect(
            await Self.publishing(web, in: mangle)?.advice
                == ["iptables -t mangle -I INPUT -p tcp --dport 1080 -j ACCEPT"])
    }

    @Test(arguments: [
        (#""name": "meshctl""#, ""), (#""name": "off""#, #", "flags": "dormant""#),
        (#""name": "off""#, #", "flags": ["owner", "dormant"]"#),
    ])
    func tablesThatAreNotAsked(name: String, flags: String) async {
        let nft = """
            {"nftables": [{"table": {"family": "inet", \(name)\(flags)}},
            {"chain": {"family": "inet", "table": \(name.dropFirst(8)), "name": "in", "type": "filter", "hook": "input",
             "prio": 0, "policy": "drop"}}]}
            """
        let web = PortBinding(1080, .tcp)
        #expect(await Self.publishing(web, in: HostRules(nft: nft))?.verdict == .accepted)
        let other = nft.replacing(name.dropFirst(8), with: "\"other\"").replacing(flags, with: "")
        #expect(await Self.text(Self.publishing(web, in: HostRules(nft: other))?.verdict) == "dropped: policy DROP")
    }

    @Test func whereNothingWasReadNothingIsTold() async {
        let web = PortBinding(1080, .tcp)
        #expect(await Self.publishing(web, in: HostRules()) == nil)
        #expect(await Self.publishing(web, in: HostRules(ip6tables: "")) == nil)
        let unread = HostRules(nft: "Error: JSON support not compiled-in")
        #expect(await Self.publishing(web, in: unread) == nil)
        #expect(unread.unread == ["the rules of nftables: what libnftables lists cannot be read"])
        #expect(await Self.publishing(web, in: HostRules(nft: #"{"nftables": []}"#))?.verdict == .accepted)
        #expect(await Self.publishing(web, in: HostRules(iptables: ""))?.verdict == .accepted)
    }

    @Test(
        arguments: [
            (HostTexts.ufw, "accepted", []),
            ("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n", "accepted", []),
            (
                HostTexts.docker, "only: -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                ["iptables -I FORWARD -s 10.0.5.2 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
            ),
            (
                "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -s 10.0.6.0/24 -j ACCEPT\nCOMMIT\n", "dropped: policy DROP",
                ["iptables -I FORWARD -s 10.0.5.2 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
            ),
            (
                "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -s 10.0.5.0/24 -p tcp -m tcp --sport 80 -j ACCEPT\nCOMMIT\n",
                "accepted", []
            ),
            (
                "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctdir REPLY -j ACCEPT\nCOMMIT\n", "accepted",
                []
            ),
        ] as [(String, String, [String])])
    func repliesOfATask(text: String, verdict: String, advice: [String]) async {
        let answer = await Firewall(HostRules(iptables: text)).answer(repliesOf: "10.0.5.2", .tcp, port: 80)
        #expect(Self.text(answer?.verdict) == verdict)
        #expect(answer?.advice == advice)
    }

    /// Docker lets through what comes by its bridge and leaves by another interface, which is where other hosts are.
    @Test func dockerLetsRepliesOfItsContainersThrough() async {
        let firewall = Firewall(HostRules(iptables: HostTexts.docker))
        func verdict(by interface: String, hasClients: Bool) async -> Firewall.Verdict? {
            await firewall.answer(repliesOf: "10.0.5.2", .tcp, port: 80, by: interface, hasClients: hasClients)?.verdict
        }
        #expect(await verdict(by: "docker0", hasClients: false) == .accepted)
        #expect(await verdict(by: "docker0", hasClients: true) != .accepted)
        #expect(await verdict(by: "eth1", hasClients: false) != .accepted)
    }

    @Test func firewalldLetsRepliesThrough() async {
        let firewall = Firewall(HostRules(nft: HostTexts.firewalld))
        #expect(await firewall.answer(repliesOf: "fd00:5::2", .udp, port: 53)?.verdict == .accepted)
    }
}
