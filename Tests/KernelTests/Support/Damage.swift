import MeshKit
import TestSupport

/// What others break behind meshctl's back, on a host that publishes ``MeshHost/publishSome()``.
struct Damage: Sendable, CustomStringConvertible {
    /// For `sh -ec` on the node.
    var script: String
    /// What `plan` must say of it.
    var name: String
    /// Whether the script runs outside of the node, where namespaces have their names: `$NODE` and `$HELPER`.
    var isOutside = false

    init(_ script: String, _ name: String, isOutside: Bool = false) {
        self.script = script
        self.name = name
        self.isOutside = isOutside
    }

    var description: String { script }

    func happen(to host: MeshHost) async throws {
        guard isOutside else {
            try await host.node.check(["sh", "-ec", script])
            return
        }
        let ran = try await Shell.run(
            ["sh", "-ec", script], environment: ["NODE": host.node.name, "HELPER": try host.node.helper().name])
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
    }

    /// Some of all, for one tool.
    struct Part: Sendable, CustomStringConvertible {
        var tool: RuleTool
        var damages: [Damage]

        var description: String { "\(tool), \(damages.count) from \(damages[0])" }
    }

    static let inParts = RuleTool.tested.flatMap { tool in
        let all = services + node + (tool == .nftables ? nftables : iptables)
        return stride(from: 0, to: all.count, by: 8).map { Part(tool: tool, damages: Array(all[$0...].prefix(8))) }
    }

    private static let services = [
        Damage("ipvsadm -d -f 256 -r 10.11.0.2:80", "add destination 10.11.0.2:80 to FWM 256"),
        Damage("ipvsadm -D -f 256", "create service FWM 256"),
        Damage(
            "ipvsadm -e -f 256 -r 10.11.0.2:80 -m -w 9", "change destination 10.11.0.2:80 of FWM 256: Masq, weight 1"),
        Damage("ipvsadm -E -f 256 -s lc", "change service FWM 256: scheduler rr"),
        Damage("ipvsadm -E -f 258 -s rr", "change service FWM 258: scheduler rr, sticky for 60 s"),
        Damage("ipvsadm -a -f 256 -r 10.9.9.9:80 -m", "remove destination 10.9.9.9:80 from FWM 256"),
        Damage("ipvsadm -C", "create service FWM 256"),
        Damage("ipvsadm --set 900 0 0", "IPVS    timeout of idle TCP connections = 7500 s (is 900 s)"),
    ]

    private static let node = [
        Damage("sysctl -qw net.ipv4.vs.conntrack=0", "sysctl  net/ipv4/vs/conntrack = 1 (is 0)"),
        Damage("sysctl -qw net.ipv4.ip_forward=0", "sysctl  net/ipv4/ip_forward = 1 (is 0)"),
        Damage("sysctl -qw net.ipv6.conf.all.forwarding=0", "sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)"),
        Damage(
            "sysctl -qw net.ipv4.ip_local_reserved_ports=",
            "sysctl  net/ipv4/ip_local_reserved_ports = 40000-40009 (is empty)"),
        Damage("ip link del meshctl-lo", "links   make the veth pair meshctl-lo and eth0 in loopback"),
        Damage("ip link set meshctl-lo down", "meshctl-lo is down"),
        Damage(
            """
            ip netns del $HELPER
            for _ in $(seq 500); do ip -n $NODE link show meshctl-lo >/dev/null 2>&1 || break; sleep 0.01; done
            """, "links   make the namespace meshctl-lo-", isOutside: true),
    ]

    private static let iptables = [
        Damage(
            "iptables -t mangle -F MESH-MARK", "iptables mangle MESH-MARK: rule missing: -A MESH-MARK -p tcp"),
        Damage(
            "iptables -t mangle -F",
            "jump missing: -A PREROUTING -m conntrack --ctdir ORIGINAL -m addrtype --dst-type LOCAL -j MESH-IN"),
        Damage(
            "iptables -t nat -D POSTROUTING -j MESH-SNAT", "iptables nat: jump missing: -A POSTROUTING -j MESH-SNAT"),
        Damage("ip6tables -t nat -A POSTROUTING -j MESH-SNAT", "ip6tables nat: more than one jump to MESH-SNAT"),
        Damage(
            "iptables -A MESH-FORWARD -j DROP", "iptables filter MESH-FORWARD: rule not ours: -A MESH-FORWARD -j DROP"),
        Damage("ip6tables -t mangle -F; ip6tables -t mangle -X", "ip6tables mangle MESH-MARK: chain missing"),
        Damage("iptables -t mangle -N MESH-OLD", "iptables mangle: chain not ours: MESH-OLD"),
        Damage("iptables -t nat -F MESH-TARGET", "iptables: mesh-target4 0x102 . tcp . 1443 : 80"),
        Damage("ipset del mesh-mark-tcp 1080", "iptables: mesh-mark-tcp 1080 : 0x100"),
        Damage(
            "ipset add mesh-mark-tcp 1080 skbmark 0x777 -exist",
            "iptables: mesh-mark-tcp 1080 : 0x100 (is 1080 : 0x777)"),
        Damage("ipset add mesh-mark-tcp 99 skbmark 0x100", "iptables: not mesh-mark-tcp 99 : 0x100"),
        Damage("ipset add mesh-hairpin4 10.0.0.0/8,10.1.0.0/16", "ipset mesh-hairpin4: element not ours"),
        Damage("ipset flush", "iptables: mesh-snat4 0x100 . 10.11.0.2"),
        Damage(
            """
            for tool in iptables ip6tables; do for table in mangle nat; do $tool -t $table -F; done; done
            ipset destroy mesh-mark-udp
            """, "ipset: set mesh-mark-udp missing"),
        Damage(
            """
            for tool in iptables ip6tables; do for table in mangle nat; do $tool -t $table -F; done; done
            ipset destroy mesh-mark-udp
            ipset create mesh-mark-udp hash:net
            ipset add mesh-mark-udp 10.0.0.0/8
            """, "ipset: set mesh-mark-udp is hash:net family inet"),
        Damage(
            "ip netns exec $HELPER iptables -t nat -F",
            "iptables: install the mesh's rules, in loopback", isOutside: true),
    ]

    private static let nftables = [
        Damage(
            deletion(of: "jump restrict", in: "prerouting"),
            "chain prerouting: missing: meta mark @restricted jump restrict"),
        Damage(
            "nft insert rule inet meshctl marking tcp dport 1080 drop", "chain marking: not ours: tcp dport 1080 drop"),
        Damage(
            "nft add rule inet meshctl nat-prerouting jump translate",
            "chain nat-prerouting: rules twice or out of order"),
        Damage("nft flush chain inet meshctl nat-postrouting", "chain nat-postrouting: missing: "),
        Damage("nft chain inet meshctl prerouting '{ policy drop; }'", "chain prerouting: not ours: type filter hook"),
        Damage(
            "nft add chain inet meshctl mine '{ type filter hook input priority 0; policy drop; }'",
            "chain mine: not ours"),
        Damage("nft add table inet meshctl '{ flags dormant; }'", "nft inet meshctl flags dormant: not ours"),
        Damage("nft delete table inet meshctl", "rules   nftables: install the mesh's rules"),
        Damage("nft flush ruleset", "rules   nftables: install the mesh's rules"),
        Damage("nft delete element inet meshctl marks '{ tcp . 1080 }'", "nftables: marks tcp . 1080 : 0x100"),
        Damage(
            """
            nft delete element inet meshctl marks '{ tcp . 1080 }'
            nft add element inet meshctl marks '{ tcp . 1080 : 0x777 }'
            """, "nftables: marks tcp . 1080 : 0x100 (is tcp . 1080 : 0x777)"),
        Damage("nft add element inet meshctl marks '{ tcp . 99 : 0x100 }'", "nftables: not marks tcp . 99 : 0x100"),
        Damage(
            """
            nft delete element inet meshctl marks '{ tcp . 1080 }'
            nft add element inet meshctl marks '{ tcp . 1080 : 0 }'
            """, "nftables: marks tcp . 1080 : 0x100 (is tcp . 1080)"),
        Damage("nft add element inet meshctl marks '{ * : 0x100 }'", "nftables: not marks * : 0x100"),
        Damage(
            """
            nft delete element inet meshctl ranges_udp '{ 40000-40009 }'
            nft add element inet meshctl ranges_udp '{ 40005-40020 : 0x101 }'
            """, "nftables: ranges_udp 40000-40009 : 0x101 (is 40005-40020 : 0x101)"),
        Damage("nft flush set inet meshctl allowed4", "nftables: allowed4 0x102 . 10.1.0.0/16"),
        Damage(
            "nft add element inet meshctl allowed4 '{ 0x102 . 10.9.0.1-10.9.0.9 }'",
            "nftables: not allowed4 0x102 . 10.9.0.1-10.9.0.9"),
        Damage(
            """
            nft flush set inet meshctl allowed4
            nft add element inet meshctl allowed4 '{ 0x100-0x1ff . 10.1.2.0/24 }'
            """, "nftables: allowed4 0x102 . 10.1.0.0/16 (is 0x100-0x1ff . 10.1.2.0/24)"),
        Damage(
            "nft add element inet meshctl hairpin4 '{ 10.0.0.0/8 . 10.1.0.0/16 }'",
            "nftables: not hairpin4 10.0.0.0/8 . 10.1.0.0/16"),
        Damage("nft flush map inet meshctl targets4", "nftables: targets4 0x102 . 1443 : 80"),
        Damage(
            """
            nft delete element inet meshctl counters '{ 0x100 }'
            nft delete counter inet meshctl tcp-1080
            """, "nftables: counters 0x100 : tcp-1080"),
        Damage("nft flush set inet meshctl masquerade4", "nftables: masquerade4 0x100 . 10.11.0.2"),
        Damage(without("map marks"), "map marks missing"),
        Damage(without("map marks") + "\nnft add set inet meshctl marks '{ type ipv4_addr; }'", "set marks: not ours"),
        Damage(
            without("set published") + "\nnft add set inet meshctl published '{ type mark; size 2; }'",
            "set published: not ours: size 2"),
        Damage(
            without("set hairpin4")
                + "\nnft add set inet meshctl hairpin4 '{ type ipv4_addr . ipv4_addr; flags timeout; }'",
            "set hairpin4: not ours: flags timeout"),
        Damage(
            without("map counters") + "\nnft add map inet meshctl counters '{ type ipv4_addr : verdict; }'",
            "map counters: not ours: type ipv4_addr : verdict"),
        Damage(
            another("prerouting", "type filter hook forward priority 0;"),
            "chain prerouting: not ours: type filter hook forward priority filter"),
        Damage(
            another("nat-output", "type filter hook output priority -100;"),
            "chain nat-output: not ours: type filter hook output priority"),
        Damage(
            "for chain in prerouting output; do nft flush chain inet meshctl $chain; done\n"
                + another("marking", "type filter hook input priority 0;"),
            "chain marking: not ours: type filter hook input priority filter"),
        Damage(another("nat-postrouting", ""), "chain nat-postrouting: missing: type nat hook postrouting"),
        Damage(
            "ip netns exec $HELPER nft flush ruleset",
            "nftables: install the mesh's rules, in loopback", isOutside: true),
    ]

    private static func deletion(of rule: String, in chain: String) -> String {
        """
        handle=$(nft -a list chain inet meshctl \(chain) | sed -n 's/.*\(rule) # handle //p')
        nft delete rule inet meshctl \(chain) handle $handle
        """
    }

    /// A chain with the name, and another place.
    private static func another(_ chain: String, _ hook: String) -> String {
        """
        nft flush chain inet meshctl \(chain)
        nft delete chain inet meshctl \(chain)
        nft add chain inet meshctl \(chain) '{ \(hook) }'
        """
    }

    /// A set goes only once no rule uses it.
    private static func without(_ set: String) -> String {
        """
        for chain in $(nft -t list table inet meshctl | sed -n 's/^\\tchain \\(.*\\) {/\\1/p'); do
            nft flush chain inet meshctl $chain
        done
        nft delete \(set.replacing(" ", with: " inet meshctl "))
        """
    }
}

extension MeshHost {
    /// A port, a range of those that the node would take for itself, and a port with all that can be said of one. Their
    /// marks are 0x100, 0x101 and 0x102.
    func publishSome() async throws {
        try await meshctl("publish", "1080:80", "nginx")
        try await meshctl("publish", "40000-40009:40000-40009/udp", "nginx")
        try await meshctl("publish", "1443:80", "nginx", "--sticky", "1m", "--allow", "10.1.0.0/16")
    }
}
