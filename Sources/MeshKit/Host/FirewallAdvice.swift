import IPVSKit
import RuleKit

/// The commands that let packets through. If a program such as ufw manages the rules, they are commands of that
/// program: it would overwrite anything that was changed without it.
struct FirewallAdvice {
    let rules: HostRules

    /// The commands that admit new connections to published ports.
    ///
    /// - Parameters:
    ///   - networks: the networks to admit, of one family; empty for all.
    ///   - areTranslated: whether our rules have translated the ports. Then they are the node's own ports for everybody
    ///     else, and only what is translated may be admitted, which neither ufw nor firewalld has a command for.
    func opening(
        _ site: HostRuleSite, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>, to networks: [IPPrefix],
        areTranslated: Bool = false
    ) -> [String] {
        let colon = Self.text(ports, ":")
        let dash = Self.text(ports, "-")
        // ufw does not support SCTP.
        if isUFW(site, in: "INPUT"), !areTranslated, transport == .tcp || transport == .udp {
            return networks.isEmpty
                ? ["ufw allow \(colon)/\(transport)"]
                : networks.map { "ufw allow from \($0) to any port \(colon) proto \(transport)" }
        }
        if isFirewalld(site), !areTranslated {
            let options =
                networks.isEmpty
                ? ["--add-port=\(dash)/\(transport)"]
                : networks.map { network in
                    "--add-rich-rule='rule family=\"\(network.family == .ipv4 ? "ipv4" : "ipv6")\" source address=\"\(network)\" "
                        + "port port=\"\(dash)\" protocol=\"\(transport)\" accept'"
                }
            return options.flatMap { ["firewall-cmd \($0)", "firewall-cmd --permanent \($0)"] }
        }
        if isOfNFT(site) {
            let list = networks.map(\.description).joined(separator: ", ")
            let source = networks.first.map {
                "\(Self.ip($0.address)) saddr \(networks.count == 1 ? list : "{ \(list) }") "
            }
            let status = areTranslated ? " ct status dnat" : ""
            return [insertion(site, "\(source ?? "")\(transport) dport \(dash)\(status)")]
        }
        let source = networks.isEmpty ? "" : "-s \(networks.map(\.description).joined(separator: ",")) "
        let status = areTranslated ? " -m conntrack --ctstate DNAT" : ""
        return [insertion(site, "\(source)-p \(transport) --dport \(colon)\(status)")]
    }

    /// The commands that let replies of a task pass the node.
    ///
    /// - Parameter areTracked: whether conntrack has seen the packets before the chain does.
    func lettingThrough(_ site: HostRuleSite, repliesOf task: IPAddress, areTracked: Bool = true) -> [String] {
        [
            isOfNFT(site)
                ? insertion(site, "\(Self.ip(task)) saddr \(task)\(areTracked ? " ct state established,related" : "")")
                : insertion(
                    site, "-s \(task)\(areTracked ? " -m conntrack --ctstate RELATED,ESTABLISHED" : "")")
        ]
    }

    /// The commands that let a client's further packets pass the node.
    func lettingThrough(_ site: HostRuleSite, knownConnectionsTo task: IPAddress) -> [String] {
        [
            isOfNFT(site)
                ? insertion(site, "\(Self.ip(task)) daddr \(task) ct state established,related")
                : insertion(site, "-d \(task) -m conntrack --ctstate RELATED,ESTABLISHED")
        ]
    }

    /// The commands that let packets from IPVS reach a task.
    func lettingThrough(
        _ site: HostRuleSite, to task: IPAddress, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>
    ) -> [String] {
        [
            isOfNFT(site)
                ? insertion(site, "\(Self.ip(task)) daddr \(task) \(transport) dport \(Self.text(ports, "-"))")
                : insertion(site, "-d \(task) -p \(transport) --dport \(Self.text(ports, ":"))")
        ]
    }

    /// The commands that let everything through that leaves by an interface.
    func lettingThrough(_ site: HostRuleSite, by interface: String) -> [String] {
        [insertion(site, isOfNFT(site) ? "oifname \(interface)" : "-o \(interface)")]
    }

    /// The commands that let replies leave the node.
    func lettingOut(_ site: HostRuleSite) -> [String] {
        [
            isOfNFT(site)
                ? insertion(site, "ct state established,related")
                : insertion(site, "-m conntrack --ctstate RELATED,ESTABLISHED")
        ]
    }

    /// The commands that let the node send packets to a port of other hosts.
    func sending(_ site: HostRuleSite, _ transport: TransportProtocol, to port: UInt16) -> [String] {
        if isUFW(site, in: "OUTPUT") { return ["ufw allow out \(port)/\(transport)"] }
        let match = isOfNFT(site) ? "\(transport) dport \(port)" : "-p \(transport) --dport \(port)"
        return [insertion(site, match)]
    }

    /// The commands that have packets meet one of our own chains before a rule that accepts them. Our jump is there twice
    /// then, until a pass takes both away and puts one of them first.
    func puttingFirst(_ own: String, before site: HostRuleSite) -> [String] {
        guard let jump = OwnRules.jump(from: site.baseChain, to: own) else { return [] }
        return ["\(program(site)) -t \(site.variant?.table ?? site.table) -I \(jump)"]
    }

    /// The commands that let ARP requests and replies through.
    func lettingNeighboursBeFound(_ site: HostRuleSite) -> [String] {
        [insertion(site, site.table.hasPrefix("arp ") ? "arp ptype ip" : "ether type arp")]
    }

    private static func ip(_ address: IPAddress) -> String { address.family == .ipv4 ? "ip" : "ip6" }

    /// A command that inserts a rule at the head of the base chain, so that nothing comes before it.
    ///
    /// Where a rule in Docker's chain for the user's rules is in the way, that chain gets the rule: whenever Docker starts,
    /// it puts the jump there first again.
    private func insertion(_ site: HostRuleSite, _ match: String) -> String {
        let users = "DOCKER-USER"
        let isUsers = table(site)?.chains[users]?.contains { $0.text.description == site.text } == true
        let chain = isUsers ? users : site.baseChain
        if isOfNFT(site) { return "nft insert rule \(site.table) \(chain) \(match) accept" }
        let table = site.variant?.table ?? site.table
        return "\(program(site)) \(table == "filter" ? "" : "-t \(table) ")-I \(chain) \(match) -j ACCEPT"
    }

    /// Whether nft changes the chain. A chain of iptables' nft variant is changed by that program alone: a rule in words of
    /// nft, such as `ct state`, would make iptables refuse to work with the whole table.
    private func isOfNFT(_ site: HostRuleSite) -> Bool { site.tool == .nft && site.variant == nil }

    private func program(_ site: HostRuleSite) -> String {
        // The nft variant wrote the rule, whichever of the two `iptables` is.
        if let variant = site.variant { return "\(variant.program)-nft" }
        return rules.programs[site.tool == .iptables ? .ipv4 : .ipv6] ?? "\(site.tool)"
    }

    /// Whether ufw manages the chain of the table filter. When ufw is switched off its chains stay, but no rule jumps to
    /// them.
    private func isUFW(_ site: HostRuleSite, in chain: String) -> Bool {
        guard site.baseChain == chain, site.table.hasSuffix("filter") else { return false }
        let users = "user-\(chain.lowercased())"
        return table(site)?.chains.values.joined().contains {
            $0.action == .jump("ufw-\(users)") || $0.action == .jump("ufw6-\(users)")
        } == true
    }

    /// Whether firewalld manages the table. It has a table of its own in nftables, or chains of its own if it is set to
    /// use iptables.
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
