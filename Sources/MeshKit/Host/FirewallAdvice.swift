import IPVSKit
import RuleKit

/// The lines that let packets through: of the program that keeps the rules, where there is one, since what is typed
/// past it is gone when it next writes its rules.
struct FirewallAdvice {
    let rules: HostRules

    /// For new connections to published ports.
    ///
    /// - Parameter networks: those that may come, of one family; none for all.
    func opening(
        _ site: HostRuleSite, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, to networks: [IPPrefix]
    ) -> [String] {
        let colon = Self.text(ports, ":")
        let dash = Self.text(ports, "-")
        // ufw knows no SCTP.
        if isUFW(site), transport == .tcp || transport == .udp {
            return networks.isEmpty
                ? ["ufw allow \(colon)/\(transport)"]
                : networks.map { "ufw allow from \($0) to any port \(colon) proto \(transport)" }
        }
        if isFirewalld(site) {
            let options =
                networks.isEmpty
                ? ["--add-port=\(dash)/\(transport)"]
                : networks.map { network in
                    "--add-rich-rule='rule family=\"\(network.family == .ipv4 ? "ipv4" : "ipv6")\" source address=\"\(network)\" "
                        + "port port=\"\(dash)\" protocol=\"\(transport)\" accept'"
                }
            return options.flatMap { ["firewall-cmd \($0)", "firewall-cmd --permanent \($0)"] }
        }
        if site.tool == .nft {
            let list = networks.map(\.description).joined(separator: ", ")
            let source = networks.first.map {
                "\(Self.ip($0.address)) saddr \(networks.count == 1 ? list : "{ \(list) }") "
            }
            return [insertion(site, "\(source ?? "")\(transport) dport \(dash)")]
        }
        let source = networks.isEmpty ? "" : "-s \(networks.map(\.description).joined(separator: ",")) "
        return [insertion(site, "\(source)-p \(transport) --dport \(colon)")]
    }

    /// For replies of a task that cross the node.
    ///
    /// - Parameter areTracked: whether the chain sees them when conntrack has.
    func lettingThrough(_ site: HostRuleSite, repliesOf task: IPAddress, areTracked: Bool = true) -> [String] {
        [
            site.tool == .nft
                ? insertion(site, "\(Self.ip(task)) saddr \(task)\(areTracked ? " ct state established,related" : "")")
                : insertion(
                    site, "-s \(task)\(areTracked ? " -m conntrack --ctstate RELATED,ESTABLISHED" : "")")
        ]
    }

    /// For what IPVS sends to a task.
    func lettingThrough(
        _ site: HostRuleSite, to task: IPAddress, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>
    ) -> [String] {
        [
            site.tool == .nft
                ? insertion(site, "\(Self.ip(task)) daddr \(task) \(transport) dport \(Self.text(ports, "-"))")
                : insertion(site, "-d \(task) -p \(transport) --dport \(Self.text(ports, ":"))")
        ]
    }

    /// For replies that leave the node.
    func lettingOut(_ site: HostRuleSite) -> [String] {
        [
            site.tool == .nft
                ? insertion(site, "ct state established,related")
                : insertion(site, "-m conntrack --ctstate RELATED,ESTABLISHED")
        ]
    }

    /// For what asks for neighbours of IPv4, and answers it.
    func lettingNeighboursBeFound(_ site: HostRuleSite) -> [String] {
        [insertion(site, site.table.hasPrefix("arp ") ? "arp ptype ip" : "ether type arp")]
    }

    private static func ip(_ address: IPAddress) -> String { address.family == .ipv4 ? "ip" : "ip6" }

    /// At the head of the chain that the kernel calls, so that nothing comes before it.
    private func insertion(_ site: HostRuleSite, _ match: String) -> String {
        switch site.tool {
        case .nft: "nft insert rule \(site.table) \(site.baseChain) \(match) accept"
        case .iptables, .ip6tables:
            "\(program(site)) \(site.table == "filter" ? "" : "-t \(site.table) ")-I \(site.baseChain) \(match) -j ACCEPT"
        }
    }

    private func program(_ site: HostRuleSite) -> String {
        rules.programs[site.tool == .iptables ? .ipv4 : .ipv6] ?? "\(site.tool)"
    }

    /// It fills the chain INPUT of filter. Its own chains stay where it is switched off, but nothing leads there.
    private func isUFW(_ site: HostRuleSite) -> Bool {
        guard site.baseChain == "INPUT", site.table.hasSuffix("filter") else { return false }
        return table(site)?.chains.values.joined().contains {
            $0.action == .jump("ufw-user-input") || $0.action == .jump("ufw6-user-input")
        } == true
    }

    /// By its own table of nft's, or by its chains, where it is set to use iptables.
    private func isFirewalld(_ site: HostRuleSite) -> Bool {
        site.table == "inet firewalld" || table(site)?.chains["INPUT_ZONES"] != nil
    }

    private func table(_ site: HostRuleSite) -> RuleTable? {
        rules.tables.first { $0.tool == site.tool && $0.name == site.table }
    }

    private static func text(_ ports: ClosedRange<UInt16>, _ separator: String) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)\(separator)\(ports.upperBound)"
    }
}
