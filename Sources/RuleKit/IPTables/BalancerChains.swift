import IPVSKit

/// The chains of a balancer.
struct BalancerChains {
    let family: AddressFamily
    let detour: Detour?
    let ingress: IngressPath?
    let sourcePorts: ClosedRange<UInt16>?
    let mtu: UInt32?

    static let local = "-m addrtype --dst-type LOCAL "
    var loopback: String { family == .ipv4 ? "127.0.0.0/8" : "::1/128" }
    /// The detour, and its address of this family, if it has one.
    private var ownDetour: (interface: String, address: IPAddress)? {
        detour.flatMap { detour in detour.address(family).map { (detour.interface, $0) } }
    }

    func match(_ use: IPSet.Use, _ directions: String? = nil) -> String {
        let set = IPSet(use, family)
        return "-m set --match-set \(set.name) \(directions ?? set.directions)"
    }

    /// No router forwards a packet from or to an IPv6 link-local address, so that a task's answer would be lost.
    /// Without a mark, the node refuses the connection at once.
    var linkLocalReturns: [String] {
        family == .ipv4 ? [] : ["-s fe80::/10 -j RETURN", "-d fe80::/10 -j RETURN"]
    }

    static let protocols: [TransportProtocol] = [.tcp, .udp, .sctp]

    /// Packets to the node itself, in the original direction of their connections. A reply to a connection of the node
    /// whose source port happens to be published must not be balanced, and its source address is not a client's.
    ///
    /// Every packet meets this condition, so the cheaper question comes first.
    private static let toNode = "-m conntrack --ctdir ORIGINAL " + local

    /// Where packets come in: those to ports with an allow-list have to pass it, and then all are marked.
    var entry: Skeleton.Chain {
        Skeleton.Chain(
            table: "mangle", name: OwnRules.entryChain, jumps: [.init(from: "PREROUTING", condition: Self.toNode)],
            rules: Self.protocols.map { "-p \($0) \(match(.restricted($0)!)) -j MESH-ALLOW" }
                + ["\(match(.restrictedAt)) -j MESH-ALLOW", "-j \(OwnRules.markChain)"])
    }

    /// Drops connections from networks that are not allowed.
    var allow: Skeleton.Chain {
        // The node itself is always allowed, also when its packets come through the detour.
        let own = ["-i lo -j RETURN"] + (ownDetour.map { ["-i \($0.interface) -j RETURN"] } ?? [])
        return Skeleton.Chain(
            table: "mangle", name: "MESH-ALLOW", jumps: [],
            rules: own + linkLocalReturns + [
                match(.allowed, "src,dst") + " -j RETURN", match(.allowedAt, "dst,dst,src") + " -j RETURN", "-j DROP",
            ])
    }

    /// Marks packets to published ports. Packets to loopback addresses are not marked, because IPVS drops packets from
    /// loopback addresses.
    ///
    /// If several sets give a mark, the last one wins, which is the most specific.
    var mark: Skeleton.Chain {
        func map(_ use: IPSet.Use) -> String {
            let set = IPSet(use, family)
            return "-j SET --map-set \(set.name) \(set.directions) --map-mark"
        }
        // IPVS looks for a service, and so at the mark, only with the first packet of a connection: SYN, for TCP. All
        // others would only pay for the lookups.
        let scheduled =
            "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate ESTABLISHED -j RETURN"
        return Skeleton.Chain(
            table: "mangle", name: OwnRules.markChain, jumps: [.init(from: "OUTPUT", condition: Self.toNode)],
            rules: [scheduled, "-d \(loopback) -j RETURN"] + linkLocalReturns + [map(.virtualAddresses)]
                + Self.protocols.map { "-p \($0) \(map(.marked($0)!))" } + [map(.markedAt)])
    }

    /// Translates the port of marked packets where IPVS cannot: a persistent service sends all ports of its mark to the
    /// same port of the task.
    var target: Skeleton.Chain {
        Skeleton.Chain(
            table: "nat", name: TargetRule.chain,
            jumps: [.init(from: "PREROUTING", condition: ""), .init(from: "OUTPUT", condition: "")], rules: [],
            isVariable: true)
    }

    var detourLoopback: Skeleton.Chain? {
        guard let detour = ownDetour else { return nil }
        return Skeleton.Chain(
            table: "nat", name: "MESH-DETOUR", jumps: [.init(from: "OUTPUT", condition: "-d \(loopback) ")],
            rules: published.map { "\($0) -j DNAT --to-destination \(detour.address)" })
    }

    /// The matches that recognise a published port. The sets of marks contain all published ports.
    var published: [String] {
        Self.protocols.map { "-p \($0) \(match(.marked($0)!))" } + [match(.markedAt)]
    }

    /// A chain at nat POSTROUTING also makes conntrack choose another source port where two published ports with one
    /// target would send a task the same connection twice.
    var sourceNAT: Skeleton.Chain {
        var rules: [String] = []
        // The other namespace can answer only the interface's address, whatever address the client has bound.
        if let detour = ownDetour { rules.append("-o \(detour.interface) -j MASQUERADE") }
        rules.append("\(match(.sourceNAT)) -j MASQUERADE")
        // For IPVS the end of the detour is a client like any other, but tasks have no route to its address.
        if let detour = ownDetour { rules.append("-s \(IPPrefix(detour.address)) -m ipvs --ipvs -j MASQUERADE") }
        rules.append("\(match(.hairpins, "src,dst")) -m ipvs --ipvs -j MASQUERADE")
        rules += ingressMasquerades + sourcePortRules
        return Skeleton.Chain(
            table: "nat", name: OwnRules.sourceChain, jumps: [.init(from: "POSTROUTING", condition: "")], rules: rules)
    }

    /// Accepts the tasks' replies: they pass FORWARD, while balanced packets do not. The replies are recognised by the
    /// set of tasks, because `-m ipvs` does not match before IPVS has seen them.
    ///
    /// Also the further packets of clients to a port that our rules translate: conntrack sends them to the task itself.
    var forward: Skeleton.Chain {
        let known = "-m conntrack --ctstate RELATED,ESTABLISHED"
        let replies = "\(known) --ctdir REPLY \(match(.tasks, "src")) -j ACCEPT"
        let further = "\(known) --ctdir ORIGINAL \(match(.tasks, "dst")) -j ACCEPT"
        return Skeleton.Chain(
            table: "filter", name: OwnRules.forwardChain, jumps: [.init(from: "FORWARD", condition: "")],
            // The sets of tasks cost more than the names of interfaces.
            rules: ingressAccepts + [replies, further])
    }

    /// The accepts for the packets between the node and its sandbox alone, if another tool carries all other rules.
    var passage: Skeleton.Chain? {
        guard !ingressAccepts.isEmpty else { return nil }
        return Skeleton.Chain(
            table: "filter", name: OwnRules.forwardChain, jumps: [.init(from: "FORWARD", condition: "")],
            rules: ingressAccepts)
    }

    /// Drops a reply that conntrack cannot assign to a connection. It is not translated back and is addressed to the
    /// node itself, where no program expects it, so that the node would reset the task's connection. At this hook,
    /// iptables has no chain behind IPVS: the rule therefore also drops such replies to clients on the node, which IPVS
    /// would have translated back.
    var stray: Skeleton.Chain {
        Skeleton.Chain(
            table: "filter", name: "MESH-INPUT",
            jumps: [.init(from: "INPUT", condition: "-m conntrack --ctstate INVALID ")],
            rules: ["\(match(.answers, "src,src")) -j DROP"])
    }
}
