import IPVSKit
import RuleKit

/// What on a host is in the way of a port that is about to be published.
struct HostSurvey: Sendable {
    private let port: PublishedPort
    private let tasks: [MeshTask]
    private let addresses: Set<IPAddress>
    private let listeners: [Listener]
    private let rules: HostRules

    /// - Parameter port: a port of the service, published in no kernel yet.
    init(_ port: PublishedPort, of service: MeshState.Service, on node: NodeFacts) async {
        self.port = port
        let listening = port.listening
        tasks = service.tasks
        addresses = listening.address.map { [$0] } ?? Set(node.addresses.map(\.address))
        // Where nothing can be seen there is nothing to say.
        let found = (try? Listeners.read(transport: listening.transport, ports: listening.ports)) ?? []
        listeners = Listener.conflicts(
            publishing: listening.transport, ports: listening.ports, bind: listening.address, listeners: found,
            excusing: Listener.ownTasks(tasks, targets: port.targets, on: node.addresses))
        rules = await HostRules.read()
    }

    /// A process that listens would get nothing any more, and a rule that translates first would leave us nothing.
    func refuseConflicts() throws(InputError) {
        let listening = port.listening
        if let listener = listeners.first {
            throw InputError(
                "\(listening) is taken: \(listener) would get no connection any more; stop it, choose another port, "
                    + "or say --force")
        }
        let translations = ForeignNAT.find(
            publishing: listening.transport, ports: listening.ports, at: addresses, in: rules)
        if let translation = translations.first {
            throw InputError(
                "\(listening) is taken: \(translation) sends it to \(translation.leadsTo) first; "
                    + "remove that rule, choose another port, or say --force")
        }
    }

    /// What keeps clients away all the same, and what to type.
    ///
    /// - Parameter tool: what carries our rules: a chain of iptables' own lets replies through FORWARD, where nftables
    ///   cannot undo what another table drops.
    func warnings(_ tool: RuleTool?) -> [String] {
        let firewall = Firewall(rules)
        let listening = port.listening
        var warnings: [String] = []
        if let answer = firewall.answer(
            publishing: listening.transport, ports: listening.ports, at: addresses,
            families: Set(tasks.map(\.address.family)))
        {
            warnings += Self.warning("other hosts cannot reach \(listening)", answer)
        }
        guard tool == .nftables else { return warnings }
        for task in tasks.map(\.address) where !addresses.contains(task) {
            if let answer = firewall.answer(repliesOf: task, listening.transport, port: port.target) {
                warnings += Self.warning("replies of \(task) do not come through", answer)
            }
        }
        return warnings
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
