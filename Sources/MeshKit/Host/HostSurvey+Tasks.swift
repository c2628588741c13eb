import IPVSKit
import RuleKit

/// What is in the way between the node and its tasks.
extension HostSurvey {
    /// The way to a task.
    struct Way {
        var interface: String
        /// Whether packets of clients on other hosts may arrive on the same interface.
        var hasClients: Bool
    }

    func ways(to tasks: [SpecTask]) async -> [IPAddress: Way] {
        // Clients on other hosts are expected behind the interface of the default route, and not on a bridge of
        // containers.
        let outside = await [AddressFamily.ipv4: settings.wayOut(.ipv4), .ipv6: settings.wayOut(.ipv6)]
        let addresses = Array(Set(tasks.map(\.address)))
        var ways: [IPAddress: Way] = [:]
        for (task, routing) in zip(addresses, await settings.ways(addresses)) {
            guard case .leaves(let interface) = routing else { continue }
            let wayOut = outside[task.family] ?? nil
            ways[task] = Way(
                interface: interface,
                hasClients: node.bridgePorts.value?[interface] == nil && (wayOut == nil || wayOut == interface))
        }
        return ways
    }

    func warnings(
        _ port: PublishedPort, _ arriving: Firewall.Answer?, for task: IPAddress, by way: Way?, _ firewall: Firewall,
        in datapath: Datapath, _ tool: RuleTool?
    ) async -> (lines: [String], hidings: [String]) {
        let isMasqueraded = datapath[.node].rules.masqueraded.contains { $0.mark == port.mark && $0.task == task }
        let sent = await firewall.answer(
            sendingTo: task, port.listening.transport, ports: port.targets,
            isTranslated: Self.translated(port.listening, in: datapath) != port.listening.ports,
            showsClient: !isMasqueraded, mark: port.mark.rawValue, by: way?.interface,
            from: Set(node.addresses.map(\.address)))
        let replied = await firewall.answer(
            repliesOf: task, port.listening.transport, port: port.target, allowed: port.allowed, by: way?.interface,
            hasClients: way?.hasClients ?? true, isLetThrough: tool == .iptables)
        let continued =
            Self.isTranslatedByRules(port.listening, in: datapath)
            ? await firewall.answer(
                continuingTo: task, port.listening.transport, ports: port.targets, allowed: port.allowed,
                showsClient: !isMasqueraded, by: way?.interface, hasClients: way?.hasClients ?? true,
                isLetThrough: tool == .iptables) : nil
        let mismatch = ZoneMismatch(arriving?.zonings ?? [], replied?.zonings ?? [], task.family)
        let lines =
            SurveyText.lines("\(task) gets nothing of \(port.listening)", "packets for \(task)", sent)
            + SurveyText.lines(
                "connections to \(port.listening) hang, since further packets for \(task) do not come through",
                "further packets for \(task)", continued)
            + SurveyText.lines("replies of \(task) do not come through", "replies of \(task)", replied)
            + SurveyText.lines(
                "packets for \(port.listening)", "replies of \(task)", mismatch, isMasqueraded: isMasqueraded)
        return (lines, SurveyText.hidings("\(port.listening)", sent))
    }

    /// Warnings about everything that keeps packets from tasks, whatever the port.
    func warnings(for tasks: [SpecTask]) async -> [String] {
        var warnings = settings.warnings()
        if tasks.contains(where: { $0.attachment == nil }) { warnings += await settings.warningsOfBackup() }
        let addresses = Set(tasks.filter { $0.attachment == nil }.map(\.address)).filter { !node.isOwn($0) }
        for (task, way) in zip(addresses.sorted(), await settings.ways(addresses.sorted())) {
            warnings += settings.warnings(for: task, by: way)
        }
        return warnings
    }
}
