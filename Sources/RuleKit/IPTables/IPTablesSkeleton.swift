import IPVSKit

/// The rules of one family that never change: they look ports up in sets, so that a published port costs none.
///
/// Every line is written as iptables-save prints it, so that what is read back can be compared word for word.
struct Skeleton: Equatable {
    struct Chain: Equatable {
        var table: String
        var name: String
        /// The built-in chains it is called from, and under which condition.
        var jumps: [Jump]
        var rules: [String]
        /// Whether what is in it varies: then its rules are elements (``TargetRule``).
        var isVariable = false
    }

    struct Jump: Equatable {
        var from: String
        var condition: String
    }

    /// In the order in which a packet meets the tables, the last first; nor is anything balanced until the last is up.
    var chains: [Chain]

    init(role: RuleRole, family: AddressFamily) {
        chains =
            switch role {
            case .balancer(let detour): Self.balancer(Vocabulary(family: family, detour: detour))
            case .turnaround(let node): node.family == family ? Self.turnaround(node) : []
            }
    }

    static let tables = ["nat", "filter", "mangle"]

    /// The rules by which a packet comes to a chain of any skeleton, word for word. Whatever else leads there is
    /// somebody else's. A version that writes other words has to keep these, or it will leave them where they are.
    static let allJumpLines = Set(
        [IPAddress(ipv4: 0), IPAddress(ipv6: 0)].flatMap { end in
            [
                .balancer(detour: Detour(.loopback, to: end, by: "")),
                .balancer(detour: Detour(.everything, to: end, by: "")), .turnaround(node: end),
            ].flatMap { role in
                Skeleton(role: role, family: end.family).chains.flatMap { $0.jumpLines() }
            }
        })

    /// Whatever comes from the node goes back to it, from an address of this namespace.
    private static func turnaround(_ node: IPAddress) -> [Chain] {
        [
            Chain(
                table: "nat", name: "MESH-TURN", jumps: [.init(from: "PREROUTING", condition: "")],
                rules: ["-s \(IPPrefix(node)) -j DNAT --to-destination \(node)"]),
            Chain(
                table: "nat", name: "MESH-SNAT", jumps: [.init(from: "POSTROUTING", condition: "")],
                rules: ["-d \(IPPrefix(node)) -j MASQUERADE"]),
        ]
    }

    private static func balancer(_ words: Vocabulary) -> [Chain] {
        guard words.detour?.scope != .everything else {
            return [words.detourEverything, words.sourceNAT, words.forward, words.allow].compactMap(\.self)
        }
        return [
            words.target, words.detourLoopback, words.sourceNAT, words.forward, words.stray, words.allow, words.mark,
        ].compactMap(\.self)
    }
}

/// The chains of a balancer.
private struct Vocabulary {
    let family: AddressFamily
    let detour: Detour?

    private static let local = "-m addrtype --dst-type LOCAL "
    private var loopback: String { family == .ipv4 ? "127.0.0.0/8" : "::1/128" }
    /// The detour as far as this family is concerned.
    private var ownDetour: Detour? { detour?.address.family == family ? detour : nil }

    fileprivate func match(_ use: IPSet.Use, _ directions: String? = nil) -> String {
        let set = IPSet(use, family)
        return "-m set --match-set \(set.name) \(directions ?? set.destination)"
    }

    /// Nobody forwards what is from or to a link-local address of IPv6, so that a task's answer would not arrive. Without
    /// a mark, it is refused.
    private var linkLocalReturns: [String] {
        family == .ipv4 ? [] : ["-s fe80::/10 -j RETURN", "-d fe80::/10 -j RETURN"]
    }

    private static let protocols: [TransportProtocol] = [.tcp, .udp, .sctp]

    /// Drops what may not come. The original direction only: it is not an answer's place of origin that counts.
    var allow: Skeleton.Chain {
        // The node itself always may, also when it comes round by the detour.
        let own = ["-i lo -j RETURN"] + (ownDetour.map { ["-i \($0.interface) -j RETURN"] } ?? [])
        return Skeleton.Chain(
            table: "mangle", name: "MESH-ALLOW",
            jumps: [.init(from: "PREROUTING", condition: Self.local + "-m conntrack --ctdir ORIGINAL ")],
            rules: own + linkLocalReturns + [
                match(.allowed, "src,dst") + " -j RETURN", match(.allowedAt, "dst,dst,src") + " -j RETURN",
            ]
                + Self.protocols.map { "-p \($0) \(match(.restricted($0)!)) -j DROP" }
                + [match(.restrictedAt) + " -j DROP"])
    }

    /// The original direction only: an answer to a connection of the node's own, whose source port happens to be
    /// published, must not be balanced. Nor loopback: IPVS drops what comes from there.
    ///
    /// Where several give a mark the last one counts, which is the one that says most.
    var mark: Skeleton.Chain {
        let condition = Self.local + "-m conntrack --ctdir ORIGINAL "
        func map(_ use: IPSet.Use) -> String {
            let set = IPSet(use, family)
            return "-j SET --map-set \(set.name) \(set.destination) --map-mark"
        }
        return Skeleton.Chain(
            table: "mangle", name: "MESH-MARK",
            jumps: [.init(from: "PREROUTING", condition: condition), .init(from: "OUTPUT", condition: condition)],
            rules: ["-d \(loopback) -j RETURN"] + linkLocalReturns + [map(.virtualAddresses)]
                + Self.protocols.map { "-p \($0) \(map(.marked($0)!))" } + [map(.markedAt)])
    }

    /// Translates the port of what is marked, where IPVS cannot: a service that is persistent sends every port of its
    /// mark to the same port of the task.
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

    var detourEverything: Skeleton.Chain? {
        guard let detour = ownDetour else { return nil }
        return Skeleton.Chain(
            table: "nat", name: "MESH-DETOUR",
            jumps: [.init(from: "PREROUTING", condition: Self.local), .init(from: "OUTPUT", condition: Self.local)],
            rules: (published + [match(.virtualAddresses)]).map { "\($0) -j DNAT --to-destination \(detour.address)" })
    }

    /// What a published port is told by; the sets of marks know them all.
    private var published: [String] {
        Self.protocols.map { "-p \($0) \(match(.marked($0)!))" } + [match(.markedAt)]
    }

    /// A chain at nat POSTROUTING also makes conntrack find another source port where two published ports with one
    /// target would give a task the same connection twice.
    var sourceNAT: Skeleton.Chain {
        var rules: [String] = []
        // Whichever address the client has bound to: the other namespace can answer none but the interface's.
        if let detour = ownDetour { rules.append("-o \(detour.interface) -j MASQUERADE") }
        if detour?.scope != .everything {
            rules.append("\(match(.sourceNAT)) -j MASQUERADE")
            // The detour's end is a client like others to IPVS, but tasks do not know where it is.
            if let detour = ownDetour { rules.append("-s \(IPPrefix(detour.address)) -m ipvs --ipvs -j MASQUERADE") }
            rules.append("\(match(.hairpins, "src,dst")) -m ipvs --ipvs -j MASQUERADE")
        }
        return Skeleton.Chain(
            table: "nat", name: "MESH-SNAT", jumps: [.init(from: "POSTROUTING", condition: "")], rules: rules)
    }

    /// Balanced packets never cross FORWARD, but the tasks' replies do. They are told by the set: IPVS has not seen
    /// them at this point, so that `-m ipvs` does not match.
    var forward: Skeleton.Chain {
        var rules = ["-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY \(match(.tasks, "src")) -j ACCEPT"]
        if let detour = ownDetour, detour.scope == .everything {
            let (end, interface) = (IPPrefix(detour.address), detour.interface)
            rules += [
                "-d \(end) -o \(interface) -m conntrack --ctstate DNAT --ctdir ORIGINAL -j ACCEPT",
                "-s \(end) -i \(interface) -m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j ACCEPT",
            ]
        }
        return Skeleton.Chain(
            table: "filter", name: "MESH-FORWARD", jumps: [.init(from: "FORWARD", condition: "")], rules: rules)
    }
}

extension Vocabulary {
    /// An answer that conntrack cannot place is not translated back, and is for the node itself: there it would find
    /// nobody, and the node reset the task's connection. No chain of iptables is behind IPVS at this hook, so that this
    /// also concerns the answers to clients on the node, which IPVS would still turn back.
    var stray: Skeleton.Chain {
        Skeleton.Chain(
            table: "filter", name: "MESH-INPUT",
            jumps: [.init(from: "INPUT", condition: "-m conntrack --ctstate INVALID ")],
            rules: ["\(match(.answers, "src,src")) -j DROP"])
    }
}

extension Skeleton.Chain {
    func jumpLines() -> [String] { jumps.map { "-A \($0.from) \($0.condition)-j \(name)" } }
    func ruleLines() -> [String] { rules.map { "-A \(name) \($0)" } }
}
