import IPVSKit

/// The lines that let packets through: of the program that keeps the rules, where there is one, since what is typed
/// past it is gone when it next writes its rules.
struct FirewallAdvice {
    let rules: HostRules

    /// For new connections to published ports.
    func opening(_ site: HostRuleSite, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>) -> [String] {
        let colon = Self.text(ports, ":")
        let dash = Self.text(ports, "-")
        // ufw knows no SCTP.
        if site.tool != .nft, isUFWActive(site.tool), transport == .tcp || transport == .udp {
            return ["ufw allow \(colon)/\(transport)"]
        }
        if isFirewalld(site) {
            let option = "--add-port=\(dash)/\(transport)"
            return ["firewall-cmd \(option)", "firewall-cmd --permanent \(option)"]
        }
        return [
            site.tool == .nft
                ? insertion(site, "\(transport) dport \(dash)")
                : insertion(site, "-p \(transport) --dport \(colon)")
        ]
    }

    /// For replies of a task that cross the node.
    func lettingThrough(_ site: HostRuleSite, repliesOf task: IPAddress) -> [String] {
        [
            site.tool == .nft
                ? insertion(site, "\(task.family == .ipv4 ? "ip" : "ip6") saddr \(task) ct state established,related")
                : insertion(site, "-s \(task) -m conntrack --ctstate RELATED,ESTABLISHED")
        ]
    }

    /// At the head of the chain that the kernel calls, so that nothing comes before it.
    private func insertion(_ site: HostRuleSite, _ match: String) -> String {
        switch site.tool {
        case .nft: "nft insert rule \(site.table) \(site.baseChain) \(match) accept"
        case .iptables, .ip6tables:
            "\(site.tool) \(site.table == "filter" ? "" : "-t \(site.table) ")-I \(site.baseChain) \(match) -j ACCEPT"
        }
    }

    /// Its chains stay where it is switched off, but nothing leads there.
    private func isUFWActive(_ tool: HostRuleSite.Tool) -> Bool {
        let text = (tool == .iptables ? rules.iptables : rules.ip6tables) ?? ""
        return text.contains("-j ufw-user-input\n") || text.contains("-j ufw6-user-input\n")
    }

    /// By its own table of nft's, or by its chains, where it is set to use iptables.
    private func isFirewalld(_ site: HostRuleSite) -> Bool {
        switch site.tool {
        case .nft: site.table.split(separator: " ").last == "firewalld"
        case .iptables: rules.iptables?.contains("\n:INPUT_ZONES ") == true
        case .ip6tables: rules.ip6tables?.contains("\n:INPUT_ZONES ") == true
        }
    }

    private static func text(_ ports: ClosedRange<UInt16>, _ separator: String) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)\(separator)\(ports.upperBound)"
    }
}
