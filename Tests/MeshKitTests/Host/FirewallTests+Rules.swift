import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What single rules of either tool do.
extension FirewallTests {
    static func input(policy: String = "DROP", _ rules: String...) -> String {
        "*filter\n:INPUT \(policy) [0:0]\n:user - [0:0]\n:other - [0:0]\n" + rules.map { "-A \($0)\n" }.joined()
            + "COMMIT\n"
    }

    /// Rules, and what becomes of a connection to 1080/tcp.
    @Test(arguments: [
        (input(), "dropped: policy DROP"),
        (input(policy: "ACCEPT"), "accepted"),
        (input("INPUT -p tcp -m tcp --dport 1080 -j ACCEPT"), "accepted"),
        (input("INPUT -p tcp -m tcp --dport 1000:1100 -j ACCEPT"), "accepted"),
        (input("INPUT -p tcp -m tcp --dport :1023 -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT -p tcp -m tcp --dport 1024: -j ACCEPT"), "accepted"),
        (input("INPUT -p 6 -m multiport --dports 22,1079:1081 -j ACCEPT"), "accepted"),
        (input("INPUT -p udp -m udp --dport 1080 -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT"), "accepted"),
        (input("INPUT ! -p udp -j ACCEPT"), "accepted"),
        (input("INPUT -p icmp -j ACCEPT", "INPUT -i lo -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT ! -i lo -j ACCEPT"), "accepted"),
        (input("INPUT -i eth+ -j ACCEPT"), "only: -A INPUT -i eth+ -j ACCEPT"),
        (input("INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT -m state --state NEW,ESTABLISHED -j ACCEPT"), "accepted"),
        (input("INPUT -m addrtype --dst-type LOCAL -j ACCEPT"), "accepted"),
        (input("INPUT -m addrtype ! --dst-type LOCAL -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT -m conntrack --ctstate DNAT -j ACCEPT"), "dropped: policy DROP"),
        (input("INPUT -d 10.0.1.0/24 -j ACCEPT"), "accepted"),
        (input("INPUT -d 10.0.2.0/24 -j ACCEPT"), "dropped: policy DROP"),
        (
            input("INPUT -p tcp -m tcp --sport 1024:65535 -j ACCEPT"),
            "only: -A INPUT -p tcp -m tcp --sport 1024:65535 -j ACCEPT"
        ),
        (input("INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"), "accepted"),
        (
            input(
                policy: "ACCEPT", "INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m state --state NEW -j DROP"),
            "accepted"
        ),
        // A source that no other host has, and one that some have.
        (input(policy: "ACCEPT", "INPUT -s 127.0.0.0/8 ! -i lo -j DROP"), "accepted"),
        (
            input(policy: "ACCEPT", "INPUT -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable"),
            "not: -A INPUT -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable"
        ),
        (
            input(policy: "ACCEPT", "INPUT -m set --match-set bad src -j DROP"),
            "not: -A INPUT -m set --match-set bad src -j DROP"
        ),
        // Where both ways end alike, what was left open makes no difference.
        (input(policy: "ACCEPT", "INPUT -i eth0 -j DROP", "INPUT -j DROP"), "dropped: -A INPUT -j DROP"),
        (input("INPUT -i eth0 -j user", "INPUT -j user", "user -p tcp -j ACCEPT"), "accepted"),
        // Through chains and back.
        (input("INPUT -j user", "INPUT -j ACCEPT", "user -p tcp -j RETURN", "user -j DROP"), "accepted"),
        (input("INPUT -g user", "INPUT -j ACCEPT"), "dropped: policy DROP"),
        (
            input("INPUT -j user", "INPUT -j ACCEPT", "user -g other", "user -j DROP"),
            "accepted"
        ),
        (
            input(policy: "ACCEPT", "INPUT -j user", "user -s 10.9.0.0/16 -j RETURN", "user -j DROP"),
            "only: -A user -s 10.9.0.0/16 -j RETURN"
        ),
        (
            input(policy: "ACCEPT", "INPUT -j user", "user -i eth0 -j other", "other -j DROP"),
            "not: -A user -i eth0 -j other"
        ),
        (input("INPUT -j user", "user -j other", "other -j user"), "dropped: policy DROP"),
        // What does not end a packet's way; and who decides is a program.
        (
            input(
                "INPUT -j LOG --log-prefix \"-j ACCEPT \"", "INPUT -p tcp -m comment --comment \"a -j DROP\" -j ACCEPT"),
            "accepted"
        ),
        (
            input(policy: "ACCEPT", "INPUT -p tcp -j NFQUEUE --queue-num 0"),
            "program: -A INPUT -p tcp -j NFQUEUE --queue-num 0"
        ),
        (
            input(policy: "ACCEPT", "INPUT -i eth0 -j NFQUEUE --queue-num 0"),
            "not: -A INPUT -i eth0 -j NFQUEUE --queue-num 0"
        ),
        (input("INPUT ! -f -j ACCEPT"), "accepted"),
        // Chains of the mesh's own are not asked.
        (input("INPUT -j MESH-INPUT", "MESH-INPUT -j ACCEPT"), "dropped: policy DROP"),
    ])
    func iptables(text: String, verdict: String) async {
        let answer = await Self.publishing(PortBinding(1080, .tcp), in: HostRules(iptables: text))
        #expect(Self.text(answer?.verdict) == verdict)
    }

    private static let tcpPort = #"{"payload": {"protocol": "tcp", "field": "dport"}}"#
    private static let tcpFlags = #"{"payload": {"protocol": "tcp", "field": "flags"}}"#

    /// A rule of a chain whose policy is to accept, and what becomes of a connection to 1080/tcp.
    @Test(arguments: [
        (
            #"{"vmap": {"key": \#(tcpPort), "data": {"set": [["*", {"drop": null}], [1080, {"accept": null}]]}}}"#,
            "accepted"
        ),
        (
            #"{"vmap": {"key": \#(tcpPort), "data": {"set": [[80, {"accept": null}], ["*", {"drop": null}]]}}}"#,
            "dropped: tcp dport vmap { 80 : accept, * : drop }"
        ),
        (
            #"{"vmap": {"key": {"payload": {"protocol": "udp", "field": "dport"}}, "data": {"set": [["*", {"drop": null}]]}}}"#,
            "accepted"
        ),
        (
            #"{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": {"set": [["lo", {"drop": null}], ["wg0", {"goto": {"target": "other"}}]]}}}"#,
            "not: iifname vmap { lo : drop, wg0 : goto other }"
        ),
        (
            #"{"match": {"op": "in", "left": \#(tcpFlags), "right": "syn"}}, {"drop": null}"#,
            "dropped: tcp flags syn drop"
        ),
        (#"{"match": {"op": "in", "left": \#(tcpFlags), "right": ["fin", "rst"]}}, {"drop": null}"#, "accepted"),
        (
            #"{"match": {"op": "==", "left": {"&": [\#(tcpFlags), ["syn", "ack"]]}, "right": ["syn", "ack"]}}, {"drop": null}"#,
            "accepted"
        ),
        (
            #"{"match": {"op": "==", "left": {"&": [\#(tcpFlags), {"|": ["fin", {"|": ["syn", "rst"]}]}]}, "right": "syn"}}, {"drop": null}"#,
            "dropped: tcp flags & fin | syn | rst == syn drop"
        ),
        (
            #"{"match": {"op": "==", "left": \#(tcpPort), "right": "@gone"}}, {"drop": null}"#,
            "not: tcp dport @gone drop"
        ),
        (
            #"{"match": {"op": "==", "left": {"payload": {"protocol": "ether", "field": "saddr"}}, "right": "00:11:22:33:44:55"}}, {"drop": null}"#,
            "not: ether saddr 00:11:22:33:44:55 drop"
        ),
        (#"{"queue": {"num": 1}}"#, "program: queue"),
        (
            #"{"xt": {"type": "match", "name": "owner"}}, {"xt": {"type": "target", "name": "REJECT"}}"#,
            "not: xt match owner xt target REJECT"
        ),
    ])
    func nft(statements: String, verdict: String) async {
        let nft = #"""
            {"nftables": [{"table": {"family": "inet", "name": "filter", "handle": 1}},
            {"chain": {"family": "inet", "table": "filter", "name": "in", "handle": 1, "type": "filter", "hook": "input",
             "prio": 0, "policy": "accept"}}, {"chain": {"family": "inet", "table": "filter", "name": "other", "handle": 2}},
            {"rule": {"family": "inet", "table": "filter", "chain": "in", "handle": 3, "expr": [\#(statements)]}},
            {"rule": {"family": "inet", "table": "filter", "chain": "other", "handle": 4, "expr": [{"drop": null}]}}]}
            """#
        let answer = await Self.publishing(PortBinding(1080, .tcp), in: HostRules(nft: nft))
        #expect(Self.text(answer?.verdict) == verdict)
    }
}
