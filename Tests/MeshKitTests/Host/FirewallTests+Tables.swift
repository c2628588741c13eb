import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What is met in the tables of iptables, and ordinary firewalls.
extension FirewallTests {
    /// The same of legacy iptables, by table.
    @Test(
        arguments: [
            ("raw", "PREROUTING -p tcp -m tcp --dport 1080 -j NOTRACK", "packets are not tracked"),
            ("raw", "PREROUTING -p tcp -m tcp --dport 1080 -j CT --notrack", "packets are not tracked"),
            ("raw", "PREROUTING -p tcp -m tcp --dport 1080 -j CT --helper ftp", ""),
            (
                "raw", "PREROUTING -p tcp -m tcp --dport 1080 -j CT --zone 5",
                "replies are not translated back: conntrack looks for them in zone 0, and has packets in zone 5"
            ),
            (
                "raw", "PREROUTING -i br0 -j CT --zone 5",
                "some replies may not be translated back: conntrack may look for them in another zone"
            ),
            ("raw", "PREROUTING -j CT --zone 5", ""),
            ("raw", "PREROUTING -p tcp -m tcp --dport 1080 -j CT --zone-orig 5", ""),
            ("raw", "PREROUTING -p tcp -m tcp --dport 1080 -j CT --zone-reply 5", "replies are not translated back"),
            ("raw", "PREROUTING -j CT --zone 5\n-A PREROUTING -p tcp -m tcp --dport 1080 -j CT --zone 6", ""),
            ("raw", "PREROUTING -p tcp -m tcp --sport 80 -j NOTRACK", "replies are not tracked"),
            ("filter", "INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP", ""),
            ("filter", "INPUT -m rt --rt-type 0 -j DROP", ""),
            ("filter", "OUTPUT -m owner --uid-owner 1000 -j DROP", ""),
            ("raw", "OUTPUT -p tcp -j NOTRACK", ""),
            ("mangle", "PREROUTING -j DNPT --src-pfx fd01::/64 --dst-pfx fd00::/64", "packets are written anew"),
            ("raw", "PREROUTING -p tcp -j DROP", "closed: dropped by iptables raw PREROUTING"),
            ("mangle", "PREROUTING -p tcp -j DROP", "closed: dropped by iptables mangle PREROUTING"),
            ("mangle", "INPUT -p tcp -j DROP", "closed: dropped by iptables mangle INPUT"),
            ("security", "INPUT -p tcp -j DROP", "closed: dropped by iptables security INPUT"),
            (
                "mangle", "PREROUTING -p tcp -m tcp --dport 1080 -j MARK --set-xmark 0x5/0xffffffff",
                "packets get another mark"
            ),
            (
                "mangle", "PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
                "packets get another mark"
            ),
            ("mangle", "PREROUTING -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000", ""),
            (
                "mangle",
                "PREROUTING -j CONNMARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j CONNMARK --restore-mark "
                    + "--nfmask 0xffffffff --ctmask 0xffffffff", "some packets get another mark"
            ),
            ("mangle", "PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff", ""),
            ("mangle", "PREROUTING -j MARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j MESH-MARK", ""),
            (
                "mangle", "PREROUTING -j MESH-MARK\n-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff",
                "packets get another mark"
            ),
            ("mangle", "PREROUTING -j MARK --set-xmark 0x5/0xffffffff\n-A PREROUTING -j MESH-IN", ""),
            // Whatever is accepted in front of our own rules does not come to them.
            (
                "mangle", "PREROUTING -p tcp -m tcp --dport 1080 -j ACCEPT\n-A PREROUTING -j MESH-IN",
                "packets do not come to the rules of meshctl: by iptables mangle PREROUTING: -A PREROUTING -p tcp"
            ),
            ("mangle", "PREROUTING -j RETURN\n-A PREROUTING -j MESH-IN", "packets do not come to the rules of meshctl"),
            (
                "mangle", "PREROUTING -i eth7 -j ACCEPT\n-A PREROUTING -j MESH-IN",
                "some packets do not come to the rules of meshctl"
            ),
            ("mangle", "PREROUTING -p udp -j ACCEPT\n-A PREROUTING -j MESH-IN", ""),
            ("mangle", "PREROUTING -j MESH-IN\n-A PREROUTING -j ACCEPT", ""),
            ("nat", "PREROUTING -j ACCEPT\n-A PREROUTING -j MESH-INGRESS", ""),
            (
                "nat", "POSTROUTING -j ACCEPT\n-A POSTROUTING -j MESH-SNAT",
                "packets do not come to the rules of meshctl: by iptables nat POSTROUTING: -A POSTROUTING -j ACCEPT"
            ),
            ("nat", "POSTROUTING -j MASQUERADE\n-A POSTROUTING -j MESH-SNAT", ""),
            ("filter", "OUTPUT -d 10.0.0.0/24 -j DROP", "unsent: dropped by iptables filter OUTPUT"),
            ("mangle", "POSTROUTING -d 10.0.0.11/32 -j DROP", "unsent: dropped by iptables mangle POSTROUTING"),
            ("mangle", "FORWARD -s 10.0.0.11/32 -j DROP", "unanswered: dropped by iptables mangle FORWARD"),
            ("filter", "INPUT -m mark --mark 0x100 -j DROP", "closed: dropped"),
            ("filter", "INPUT -m mark --mark 0x8000/0x8000 -j DROP", ""),
            ("raw", "PREROUTING -m rpfilter --validmark --invert -j DROP", ""),
            ("filter", "INPUT -m set --match-set ports dst -j DROP", "closed: dropped"),
            (
                "filter", "INPUT -m set --match-set pairs dst,dst -j DROP",
                "closed: dropped"
            ),
            (
                "filter", "INPUT -m set --match-set bad src -j DROP",
                "some packets may be dropped (it depends on set bad)"
            ),
            (
                "filter", "INPUT -m set --match-set unheard dst -j DROP",
                "some packets may be dropped (it depends on set unheard)"
            ),
        ])
    func everyTable(table: String, rule: String, beginning: String) async {
        let chains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].map { ":\($0) ACCEPT [0:0]\n" }
        let text = "*\(table)\n\(chains.joined()):MESH-MARK - [0:0]\n-A \(rule)\nCOMMIT\n"
        let sets = SetsOfTest(types: ["ports": "bitmap:port", "pairs": "hash:ip,port", "bad": "hash:net"]) { set, key in
            switch set.name {
            case "ports": key == [.port(1080)] ? .present(nil) : .absent
            // At the one address of the node that other hosts reach.
            case "pairs":
                key == [.address("10.0.1.10"), .transport(.tcp), .port(1080)] ? .present(nil) : .absent
            default: nil
            }
        }
        let lines = await Self.nodeLines(HostRules(iptables: text, sets: sets, unread: []))
        if beginning.isEmpty {
            #expect(lines == [])
        } else {
            #expect(lines.first?.hasPrefix(beginning) == true, "\(lines)")
        }
    }

    /// Of a firewall that lets the port in nothing is said.
    @Test(
        arguments: [
            (HostRules(iptables: HostTexts.ufw), 80), (HostRules(nft: HostTexts.firewalld), 9090),
        ] as [(HostRules, UInt16)])
    func anOrdinaryFirewall(rules: HostRules, port: UInt16) async {
        let answer = await Firewall(rules).answer(
            publishing: .tcp, ports: port...port, at: Self.node, families: [.ipv4, .ipv6], mark: 0x100)
        #expect(SurveyText.lines("closed", "packets", answer) == [])
        let sent = await Firewall(rules).answer(sendingTo: "10.0.0.11", .tcp, ports: 8080...8080, mark: 0x100)
        #expect(SurveyText.lines("unsent", "packets", sent) == [])
        let replies = await Firewall(rules).answer(repliesOf: "10.0.0.11", .tcp, port: 8080)
        #expect(SurveyText.lines("unanswered", "replies", replies) == [])
    }
}
