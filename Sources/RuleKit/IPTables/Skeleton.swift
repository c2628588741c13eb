import IPVSKit

/// The rules that never change: they look ports up in sets, so that a published port costs none.
///
/// Every line is written as iptables-save prints it, so that what is read back can be compared word for word.
struct Skeleton: Equatable {
    struct Chain: Equatable {
        var table: String
        var name: String
        /// The built-in chains it is called from, and under which condition.
        var jumps: [Jump]
        var rules: [String]
    }

    struct Jump: Equatable {
        var from: String
        var condition: String
    }

    var chains: [Chain]

    init(family: AddressFamily) {
        let loopback = family == .ipv4 ? "127.0.0.0/8" : "::1/128"
        let tasks = IPSet.addresses(.tasks, family).rawValue
        let sourceNAT = IPSet.addresses(.sourceNAT, family).rawValue
        let local = "-m addrtype --dst-type LOCAL "
        chains = [
            // The original direction only: an answer to a connection of the node's own, whose source port happens
            // to be published, must not be balanced. Nor loopback: IPVS drops what comes from there.
            Chain(
                table: "mangle", name: "MESH-MARK",
                jumps: [.init(from: "PREROUTING", condition: local), .init(from: "OUTPUT", condition: local)],
                rules: ["-d \(loopback) -j RETURN"]
                    + IPSet.allCases.compactMap { set in
                        guard case .marks(let transport) = set.contents else { return nil }
                        return "-p \(transport) -m conntrack --ctdir ORIGINAL "
                            + "-j SET --map-set \(set.rawValue) dst --map-mark"
                    }),
            // A chain at nat POSTROUTING also makes conntrack find another source port where two published ports
            // with one target would give a task the same connection twice.
            Chain(
                table: "nat", name: "MESH-SNAT", jumps: [.init(from: "POSTROUTING", condition: "")],
                rules: ["-m set --match-set \(sourceNAT) dst -m ipvs --ipvs -j MASQUERADE"]),
            // Balanced packets never cross FORWARD, but the tasks' replies do. They are told by the set: IPVS has not
            // seen them at this point, so that `-m ipvs` does not match.
            Chain(
                table: "filter", name: "MESH-FORWARD", jumps: [.init(from: "FORWARD", condition: "")],
                rules: [
                    "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -m set --match-set \(tasks) src -j ACCEPT"
                ]),
        ]
    }

    static let chainPrefix = "MESH-"
}

extension Skeleton.Chain {
    func jumpLines() -> [String] { jumps.map { "-A \($0.from) \($0.condition)-j \(name)" } }
    func ruleLines() -> [String] { rules.map { "-A \(name) \($0)" } }
}
