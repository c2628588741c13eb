import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.SurveyTests {
    /// Something of somebody else's on the node.
    struct Obstacle: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// Commands that put it up and take it down.
        var up: String
        var down: String
        /// What is said of it; nil where it is in nobody's way.
        var warning: String?
        var transport = TransportProtocol.tcp
        /// Whether the lines to type that come with it help.
        var hasAdvice = true
        /// Whether it is in a table that iptables-nft has its own rules in, which may be ours.
        var isInFilter = false
    }

    /// A table `t` of nftables with a chain `c`.
    static func nft(
        _ name: String, family: String = "inet", _ hook: String, _ rules: String, _ warning: String?,
        transport: TransportProtocol = .tcp, hasAdvice: Bool = true
    ) -> Obstacle {
        let added = rules.split(separator: ";").map { "add rule \(family) t c \($0)" }.joined(separator: "; ")
        return Obstacle(
            testDescription: name, up: "nft 'table \(family) t { chain c { type \(hook); }; }; \(added)'",
            down: "nft 'delete table \(family) t'", warning: warning, transport: transport, hasAdvice: hasAdvice)
    }

    static let ofNFTables: [Obstacle] = [
        Obstacle(
            testDescription: "a table that iptables would not show",
            up:
                "nft 'add table ip filter; add chain ip filter input { type filter hook input priority 0; policy drop; }'",
            down: "nft 'delete table ip filter'",
            warning: "other hosts cannot reach 1080/tcp: dropped by nft ip filter input: policy DROP",
            isInFilter: true),
        nft(
            "raw", "filter hook prerouting priority -300", "tcp dport 1080 drop",
            "other hosts cannot reach 1080/tcp: dropped by nft inet t c: tcp dport 1080 drop"),
        nft(
            "notrack", "filter hook prerouting priority -300", "udp dport 1053 notrack",
            "packets for 1053/udp are not tracked", transport: .udp),
        nft(
            "another mark", "filter hook prerouting priority -140", "tcp dport 1080 meta mark set 0x5",
            "packets for 1080/tcp get another mark"),
        nft(
            "one bit more", "filter hook input priority 0", "tcp dport 1080 meta mark set meta mark | 0x4000",
            "packets for 1080/tcp get another mark"),
        nft(
            "a mark that ours replaces", "filter hook prerouting priority -200", "tcp dport 1080 meta mark set 0x5",
            nil),
        nft(
            "a network card", family: "netdev", "filter hook ingress device v1 priority 0", "tcp dport 1080 drop",
            "some packets for 1080/tcp may be dropped: nft netdev t c: tcp dport 1080 drop, on v1", hasAdvice: false
        ),
        nft(
            "output", "filter hook output priority 0; policy drop", "counter",
            "10.11.0.2 gets nothing of 1080/tcp: dropped by nft inet t c: policy DROP"),
        nft(
            "postrouting", "filter hook postrouting priority 0", "tcp dport 80 drop",
            "10.11.0.2 gets nothing of 1080/tcp: dropped by nft inet t c: tcp dport 80 drop"),
        nft(
            "replies", "filter hook prerouting priority 0", "tcp sport 80 drop",
            "replies of 10.11.0.2 do not come through: dropped by nft inet t c: tcp sport 80 drop"),
        nft(
            "replies behind IPVS", "filter hook postrouting priority 0", "tcp sport 1080 drop",
            "replies from 1080/tcp do not leave this node: dropped by nft inet t c: tcp sport 1080 drop"),
        nft(
            "a network card's own port, by interface", "filter hook input priority 0",
            "iifname \"v1\" tcp dport 1080 drop",
            "some packets for 1080/tcp may be dropped: nft inet t c: iifname v1 tcp dport 1080 drop",
            hasAdvice: false),
        nft("an interface that is not there", "filter hook input priority 0", "iifname \"wg0\" drop", nil),
        nft(
            "a conntrack zone for replies alone", "filter hook prerouting priority -300",
            "iifname \"v11\" ct zone set 5", "some replies of 10.11.0.2 may not be translated back"),
        nft("a conntrack zone for both directions", "filter hook prerouting priority -300", "ct zone set 5", nil),
        Obstacle(
            testDescription: "neighbours that are not found",
            up: """
                nft 'table arp t { chain c { type filter hook input priority 0; policy drop; }; }'; ip neigh flush all
                """,
            // A search that has failed is for some time not begun anew, whatever is let through meanwhile.
            down: "nft 'delete table arp t'; ip neigh flush all; sleep 2",
            warning: "other hosts cannot reach 1080/tcp: dropped by nft arp t c: policy DROP", hasAdvice: false),
        nft(
            "another port", "filter hook input priority 0", "tcp dport 1081 drop; ct state invalid drop", nil),
        Obstacle(
            testDescription: "a set that has our port",
            up: """
                nft 'table inet t { set s { type inet_service; flags interval; elements = { 1000-1100 }; }; \
                chain c { type filter hook input priority 0; tcp dport @s drop; }; }'
                """,
            down: "nft 'delete table inet t'",
            warning: "other hosts cannot reach 1080/tcp: dropped by nft inet t c: tcp dport @s drop"),
        Obstacle(
            testDescription: "a set that has another",
            up: """
                nft 'table inet t { set s { type ipv4_addr . inet_service; elements = { 10.1.0.1 . 1081 }; }; \
                chain c { type filter hook input priority 0; ip daddr . tcp dport @s drop; }; }'
                """,
            down: "nft 'delete table inet t'", warning: nil),
        Obstacle(
            testDescription: "a map of verdicts",
            up: """
                nft 'table inet t { map m { type inet_service : verdict; elements = { 22 : accept, 1080 : goto d }; }; \
                chain d { drop; }; \
                chain c { type filter hook input priority 0; tcp dport vmap @m; }; }'
                """,
            down: "nft 'delete table inet t'",
            warning: "other hosts cannot reach 1080/tcp: dropped by nft inet t c: drop"),
        Obstacle(
            testDescription: "a match of iptables in a rule of nftables",
            up:
                "iptables-nft -A INPUT -p tcp -m multiport --dports 22,1000:1100 -m conntrack --ctstate NEW -j DROP",
            down: "nft 'delete table ip filter'",
            warning:
                "other hosts cannot reach 1080/tcp: dropped by iptables filter INPUT: meta l4proto tcp -m multiport",
            isInFilter: true),
        Obstacle(
            testDescription: "a set of ipset's that has our port, in a rule of nftables",
            up: "ipset create blocked bitmap:port range 0-65535; ipset add blocked 1080; "
                + "iptables-nft -A INPUT -p tcp -m set --match-set blocked dst -j DROP",
            down: "nft 'delete table ip filter'; ipset destroy blocked",
            warning: "other hosts cannot reach 1080/tcp: dropped by iptables filter INPUT: meta l4proto tcp -m set "
                + "--match-set blocked dst", isInFilter: true),
        Obstacle(
            testDescription: "a set of ipset's that has another, in a rule of nftables",
            up: "ipset create blocked bitmap:port range 0-65535; ipset add blocked 1081; "
                + "iptables-nft -A INPUT -p tcp -m set --match-set blocked dst -j DROP",
            down: "nft 'delete table ip filter'; ipset destroy blocked", warning: nil, isInFilter: true),
        Obstacle(
            testDescription: "a firewall by iptables-nft that lets our port in",
            up: """
                iptables-nft -P INPUT DROP; iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; \
                iptables-nft -A INPUT -m conntrack --ctstate INVALID -j DROP; \
                iptables-nft -A INPUT -p tcp -m multiport --dports 22,1080 -j ACCEPT; \
                iptables-nft -A INPUT -p udp -m multiport --dports 53,1053 -j ACCEPT
                """,
            down: "nft 'delete table ip filter'", warning: nil, isInFilter: true),
    ]

    static let ofIPTables: [Obstacle] = [
        Obstacle(
            testDescription: "NOTRACK", up: "iptables-legacy -t raw -A PREROUTING -p udp --dport 1053 -j NOTRACK",
            down: "iptables-legacy -t raw -F", warning: "packets for 1053/udp are not tracked", transport: .udp),
        Obstacle(
            testDescription: "mangle", up: "iptables-legacy -t mangle -A INPUT -p tcp --dport 1080 -j DROP",
            down: "iptables-legacy -t mangle -D INPUT 1",
            warning: "other hosts cannot reach 1080/tcp: dropped by iptables mangle INPUT"),
        Obstacle(
            testDescription: "another mark, by iptables",
            up: "iptables-legacy -t mangle -A INPUT -p tcp --dport 1080 -j MARK --set-mark 5",
            down: "iptables-legacy -t mangle -D INPUT 1", warning: "packets for 1080/tcp get another mark",
            hasAdvice: false),
        Obstacle(
            testDescription: "OUTPUT", up: "iptables-legacy -A OUTPUT -d 10.11.0.0/16 -j REJECT",
            down: "iptables-legacy -D OUTPUT 1",
            warning: "10.11.0.2 gets nothing of 1080/tcp: dropped by iptables filter OUTPUT"),
        Obstacle(
            testDescription: "a drop of replies in front of our accept", up: "iptables -I FORWARD -i v11 -j DROP",
            down: "iptables -D FORWARD -i v11 -j DROP; iptables -D FORWARD 1",
            warning: "replies of 10.11.0.2 do not come through: dropped by iptables filter FORWARD"),
        Obstacle(
            testDescription: "a set of ipset's that has our port",
            up: "ipset create blocked hash:ip,port; ipset add blocked 10.1.0.1,tcp:1080; "
                + "iptables-legacy -A INPUT -m set --match-set blocked dst,dst -j DROP",
            down: "iptables-legacy -D INPUT 1; ipset destroy blocked",
            warning: "some packets for 1080/tcp may be dropped (it depends on set blocked)", hasAdvice: false),
        Obstacle(
            testDescription: "a rule against replies", up: "ip rule add iif v11 prohibit",
            down: "ip rule del iif v11", warning: "replies of 10.11.0.2 do not come through", hasAdvice: false),
        Obstacle(
            testDescription: "a table for the published address",
            up: "ip route add default dev v11 table 77; ip rule add from 10.1.0.1 lookup 77",
            down: "ip rule del from 10.1.0.1; ip route flush table 77",
            warning: "replies to clients in the network of v1 leave by v11", hasAdvice: false),
        Obstacle(
            testDescription: "a rule against a mark of ours", up: "ip rule add fwmark 0x100 prohibit",
            down: "ip rule del fwmark 0x100",
            warning: "10.11.0.2 gets nothing: a rule of this node's forbids what is marked so", hasAdvice: false),
        Obstacle(
            testDescription: "an interface that does not forward",
            up: "sysctl -w net.ipv4.conf.v11.forwarding=0", down: "sysctl -w net.ipv4.conf.v11.forwarding=1",
            warning: "replies of 10.11.0.2 do not come through: v11 does not forward"),
    ]

    static var obstacles: [Obstacle] {
        (RuleTool.tested.contains(.nftables) ? ofNFTables : []) + ofIPTables
    }
}
