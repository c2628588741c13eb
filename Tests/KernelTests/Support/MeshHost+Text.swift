import MeshKit
import TestSupport

extension MeshHost {
    /// What of the kernel is not meshctl's, as its tools print it, byte for byte but for counters.
    ///
    /// - Parameter ours: the marks whose services are meshctl's.
    func foreignText(ours: [Int]) async throws -> String {
        var text = try await node.check(["ipvsadm", "-Sn"]).filteringLines { line in
            !ours.contains { line.contains(" -f \($0) ") }
        }
        for tool in ["iptables-save", "ip6tables-save"] {
            text += try await node.check([tool]).replacing(/\[\d+:\d+\]/, with: "[]").filteringLines {
                !$0.contains("MESH-") && !$0.hasPrefix("#")
            }
        }
        // The nft variant makes a table when it is first written to, and then it stays: without rules it is as none.
        text = text.replacing(/\*[a-z]+\n(:[A-Z]+ ACCEPT \[\]\n)*COMMIT\n/, with: "")
        text += try await node.check(["ipset", "save"]).filteringLines { !$0.contains(" mesh-") }
        guard RuleTool.tested.contains(.nftables) else { return text }
        // Those of iptables were just shown by it.
        let tables = try await node.check(["nft", "list", "tables"]).filteringLines {
            !["inet meshctl"].contains($0.dropFirst(6)) && !$0.contains(/table ip6? (filter|nat|mangle|raw|security)$/)
        }
        for table in tables.split(separator: "\n") {
            text += try await node.check(["nft", "-s", "list"] + table.split(separator: " ").map(String.init))
        }
        return text
    }

    /// All that the mesh could have written on the node beside rules and services: every setting of the network, the
    /// timeouts of IPVS, interfaces, and names of namespaces.
    func settings() async throws -> String {
        let settings = try await node.check(["sysctl", "-a", "-r", "^net\\."])
            .filteringLines { !$0.hasPrefix("net.netfilter.nf_conntrack_count ") }
        return settings + (try await node.check(["ipvsadm", "-l", "--timeout"]))
            + (try await node.check(["ip", "-br", "address"])) + (try await Shell.check("ls", "/run/netns"))
    }

    /// What other programs on a host have: services, chains, tables and sets wherever the mesh has some.
    func addForeignThings() async throws {
        try await node.check(
            "sh", "-e", "-c",
            """
            ipvsadm -A -t 10.1.0.1:8443 -s wlc -p 600
            ipvsadm -a -t 10.1.0.1:8443 -r 10.11.0.2:443 -m -w 5
            ipvsadm -A -f 256 -s sh -b sh-port
            ipvsadm -a -f 256 -r 10.12.0.2 -g
            ipvsadm -A -u [fd01::1]:53 -s rr
            ipset create others hash:net
            ipset add others 192.0.2.0/24
            ipset create others-marks hash:ip,mark
            ipset add others-marks 192.0.2.1,0x101
            for tool in iptables ip6tables; do
                for table in raw mangle nat filter; do
                    $tool -t $table -N OTHERS
                    $tool -t $table -N A-LAST
                    $tool -t $table -A A-LAST -p udp --dport 3 -j RETURN
                    $tool -t $table -A OTHERS -p tcp --dport 22 -j ACCEPT
                    $tool -t $table -A OTHERS -p tcp --dport 23 -j A-LAST
                    $tool -t $table -A OUTPUT -j OTHERS
                    $tool -t $table -A OUTPUT -p tcp --dport 9 -j RETURN
                    $tool -t $table -A OUTPUT -p tcp --dport 8 -j RETURN
                done
                $tool -P FORWARD DROP
                $tool -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
                $tool -t nat -A POSTROUTING -o v1 -p udp --dport 9 -j MASQUERADE
                $tool -t mangle -A PREROUTING -p tcp --dport 7 -j MARK --set-mark 0x7
            done
            iptables -A INPUT -m set --match-set others src -j DROP
            """)
        guard RuleTool.tested.contains(.nftables) else { return }
        try await node.check(
            "nft", "-f", "-",
            input: """
                table inet others {
                    set bad { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 }; }
                    map marks { type inet_proto . inet_service : mark; elements = { tcp . 9 : 0x9 }; }
                    counter seen { }
                    chain prerouting {
                        type filter hook prerouting priority mangle; policy accept;
                        ip saddr @bad counter drop
                        meta mark set meta l4proto . th dport map @marks
                        jump last
                    }
                    chain last { counter name seen; }
                    chain nat { type nat hook postrouting priority srcnat; oifname "v1" udp dport 9 masquerade; }
                }
                table ip meshctl {
                    chain prerouting { tcp dport 9 drop; }
                }
                table inet meshctl-other {
                    set marks { type mark; elements = { 0x100 }; }
                }

                """)
    }
}

extension String {
    /// The lines that a condition holds for, each with its end.
    func filteringLines(_ isWanted: (Substring) -> Bool) -> String {
        split(separator: "\n").filter(isWanted).map { $0 + "\n" }.joined()
    }

    /// For comparing what has no order of its own: the kernel lists destinations newest first, and what is in a set in
    /// the order of a hash that is another for each set.
    func inNoOrder() -> [String] {
        replacing(/elements = \{([^}]*)\}/) { match in
            let elements = match.1.split(separator: ",").map {
                $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
            return "elements = { " + elements.sorted().joined(separator: ", ") + " }"
        }
        // A set's initval is random.
        .split(separator: "\n").filter { !$0.hasPrefix(":") }.map { String($0).replacing(/\ initval .*/, with: "") }
        .sorted()
    }
}
