import IPVSKit
import RuleKit

/// What on a host is in the way of published ports.
struct HostSurvey: Sendable {
    private let node: NodeFacts
    private let rules: HostRules

    /// Reads the host's rules; where nothing can be seen there is nothing to say.
    init(on node: NodeFacts) async {
        self.node = node
        rules = await HostRules.read()
    }

    /// A process that listens would get nothing any more, and a rule that translates first would leave us nothing.
    ///
    /// - Parameter port: a port of the service, published in no kernel yet.
    func refuseConflicts(_ port: PublishedPort, of service: MeshState.Service) throws(InputError) {
        let listening = port.listening
        let found = (try? Listeners.read(transport: listening.transport, ports: listening.ports)) ?? []
        let listeners = Listener.conflicts(
            publishing: listening.transport, ports: listening.ports, bind: listening.address, listeners: found,
            excusing: Listener.ownTasks(service.tasks, targets: port.targets, on: node.addresses))
        if let listener = listeners.first {
            throw InputError(
                "\(listening) is taken: \(listener) would get no connection any more; stop it, choose another port, "
                    + "or say --force")
        }
        if let translation = translations(of: listening).first(where: { $0.condition == nil }) {
            throw InputError(
                "\(listening) is taken: \(translation) sends it to \(translation.leadsTo) first; "
                    + "remove that rule, choose another port, or say --force")
        }
    }

    /// What keeps clients away from a port all the same, and what to type.
    ///
    /// - Parameters:
    ///   - tasks: those that are to be reached; where there are none yet, some of both families may come.
    ///   - datapath: what carries the port.
    ///   - tool: what carries our rules: a chain of iptables' own lets replies through FORWARD, where nftables cannot
    ///     undo what another table drops.
    func warnings(_ port: PublishedPort, for tasks: [MeshTask], in datapath: Datapath, _ tool: RuleTool?) -> [String] {
        let firewall = Firewall(rules)
        let listening = port.listening
        var warnings: [String] = []
        if let address = listening.address, !node.isOwn(address) {
            warnings.append("\(address) is no address of this node: nobody reaches \(listening) until it is")
        }
        for translation in translations(of: listening) {
            guard let condition = translation.condition else { continue }
            warnings.append(
                "some packets for \(listening) go to \(translation.leadsTo) first: by \(translation), where "
                    + "\(condition) matches")
        }
        let tasks = tasks.filter(port.isFor)
        if let answer = firewall.answer(
            publishing: listening.transport,
            ports: datapath.rules.ports[listening]?.behind(listening) ?? listening.ports,
            at: addresses(of: listening),
            families: tasks.isEmpty ? Set(AddressFamily.allCases) : Set(tasks.map(\.address.family)))
        {
            warnings += Self.warning("other hosts cannot reach \(listening)", answer)
        }
        guard tool == .nftables else { return warnings }
        for task in tasks.map(\.address) where !node.isOwn(task) {
            if let answer = firewall.answer(repliesOf: task, listening.transport, port: port.target) {
                warnings += Self.warning("replies of \(task) do not come through", answer)
            }
        }
        return warnings
    }

    /// What others may do from now on.
    func warnings(after plan: Plan) -> [String] {
        let forwarding: [(Sysctl, AddressFamily)] = [(.ipv4Forwarding, .ipv4), (.ipv6Forwarding, .ipv6)]
        return forwarding.compactMap { sysctl, family in
            let isSwitchedOn = plan.steps.contains { step in
                if case .sysctl(let change) = step { change.sysctl == sysctl } else { false }
            }
            guard isSwitchedOn, Firewall(rules).forwardsForOthers(family) else { return nil }
            return "\(sysctl) is on from now on, and no rule of this node's keeps it from forwarding for everybody"
        }
    }

    private func translations(of listening: PortBinding) -> [ForeignNAT] {
        ForeignNAT.find(
            publishing: listening.transport, ports: listening.ports, at: addresses(of: listening), in: rules)
    }

    private func addresses(of listening: PortBinding) -> Set<IPAddress> {
        listening.address.map { [$0] } ?? Set(node.addresses.map(\.address))
    }

    private static func warning(_ what: String, _ answer: Firewall.Answer) -> [String] {
        let reason: String
        switch answer.verdict {
        case .dropped(let rule): reason = "\(what): dropped by \(rule)"
        case .depends(let rule, otherwiseDropped: true):
            reason = "\(what), but for some: others than by \(rule) are dropped"
        case .accepted, .depends: return []
        }
        return [reason] + answer.advice.map { "  type:  \($0)" }
    }
}

extension PortRule {
    /// The ports that a packet has once our rules have translated it: filter INPUT sees those.
    fileprivate func behind(_ listening: PortBinding) -> ClosedRange<UInt16> {
        guard let first = target ?? twin else { return listening.ports }
        return first...(first + UInt16(listening.ports.count - 1))
    }
}
