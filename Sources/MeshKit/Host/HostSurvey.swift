import IPVSKit
import Netlink
import RuleKit
import SystemPackage

/// Finds everything on a host that is in the way of published ports.
struct HostSurvey: Sendable {
    let node: NodeFacts
    /// The IPVS services of the node, including those of other programs.
    private let services: Table
    let rules: HostRules
    let settings = HostSettings.ofKernel().remembering()

    /// Reads the host's rules.
    init(on observed: ObservedDatapath) async {
        self.init(on: observed, having: await HostRules.read())
    }

    init(on observed: ObservedDatapath, having rules: HostRules) {
        node = observed.node
        services = observed[.node].table
        self.rules = rules
    }

    /// Refuses a port on which a process listens, or which an IPVS service of another program has, since they would get
    /// no connections any more, and a port that a rule of another program translates first, since the mesh would get
    /// none.
    ///
    /// - Parameters:
    ///   - port: a port of the service that is not published in any kernel yet.
    ///   - read: reads which sockets listen on ports.
    func refuseConflicts(
        _ port: PublishedPort, of service: MeshSpec.Service,
        reading read: (TransportProtocol, ClosedRange<UInt16>) throws(Errno) -> [Listener] = Listeners.read
    ) async throws(InputError) {
        let listening = port.listening
        let found: [Listener]
        do throws(Errno) {
            found = try read(listening.transport, listening.ports)
        } catch {
            throw InputError(
                "\(listening) may be taken: the sockets of this node cannot be read: \(error); say --force to publish it "
                    + "all the same")
        }
        let listeners = Listener.conflicts(
            publishing: listening.transport, ports: listening.ports, bind: listening.address, listeners: found,
            excusing: Listener.ownTasks(service.tasks, targets: port.targets, on: node.addresses))
        if let listener = listeners.first {
            throw InputError(
                "\(listening) is taken: \(listener) would get no connection any more; stop it, choose another port, "
                    + "or say --force")
        }
        let taken = services.services(
            takenBy: listening, at: addresses(of: listening), families: Set(AddressFamily.allCases))
        if let service = taken.first {
            throw InputError(
                "\(listening) is taken: the IPVS service \(service), which meshctl did not make, would get no connection "
                    + "any more; remove it, choose another port, or say --force")
        }
        if let translation = await translations(of: port).first(where: { $0.condition == nil }) {
            throw InputError(
                "\(listening) is taken: \(translation) sends it to \(translation.leadsTo) first; "
                    + "remove that rule, choose another port, or say --force")
        }
    }

    /// Warnings about everything that still keeps clients from a port, with commands that help.
    ///
    /// - Parameters:
    ///   - tasks: the tasks to reach. If there are none yet, tasks of both families may come.
    ///   - datapath: the datapath that carries the port.
    ///   - tool: the tool that carries our rules. With iptables, a chain of our own accepts replies in FORWARD; with
    ///     nftables, our table cannot undo a drop of another table.
    func warnings(_ port: PublishedPort, for tasks: [SpecTask], in datapath: Datapath, _ tool: RuleTool?) async
        -> [String]
    {
        await warnings(port, for: tasks, by: rules.tables.isEmpty ? [:] : ways(to: tasks), in: datapath, tool)
    }

    private func warnings(
        _ port: PublishedPort, for tasks: [SpecTask], by ways: [IPAddress: Way], in datapath: Datapath,
        _ tool: RuleTool?
    ) async -> [String] {
        let firewall = Firewall(rules)
        let listening = port.listening
        var warnings: [String] = []
        if let address = listening.address, !node.isOwn(address) {
            warnings.append("\(address) is no address of this node: nobody reaches \(listening) until it is")
        }
        // Packets to a port that the sandbox balances go another way: neither INPUT nor a route to the task is on it.
        let rule = datapath[.node].rules.ports[listening]
        let isElsewhere = rule?.isElsewhere == true
        warnings += await settings.warnings(
            answeringFrom: listening.address, isElsewhere: isElsewhere, to: port.allowed, on: node)
        let tasks = isElsewhere ? [] : tasks.filter(port.isFor)
        let addresses = addresses(of: listening)
        for service in services.services(takenBy: listening, at: addresses, families: rule?.families ?? []) {
            warnings.append(
                "the IPVS service \(service), which meshctl did not make, gets no new connections: \(listening) takes them"
            )
        }
        for task in Set(tasks.map(\.address)).sorted().filter({ !node.isOwn($0) }).prefix(SurveyText.mostNamed) {
            warnings += await settings.warnings(sending: port.mark.rawValue, to: task)
            warnings += await settings.warnings(
                forRepliesOf: task, from: addresses,
                ports: RouteQuestion.Ports(replying: listening.transport, from: port.target),
                to: port.allowed, on: node)
        }
        if Self.isTranslated(port, in: datapath) { warnings += settings.warningsOfIdleConnections() }
        let balancers = isElsewhere ? sandboxes(of: listening, in: datapath) : []
        // The node's rules find packets to the sandbox by the mark only with nftables.
        let mark = tool == .iptables ? 0 : port.mark.rawValue
        for sandbox in balancers {
            let ports = RouteQuestion.Ports(replying: listening.transport, from: listening.ports.lowerBound)
            warnings += await settings.warnings(
                onTheWayTo: sandbox, marked: mark, ports: ports, from: port.allowed, on: node)
            warnings += await settings.warnings(
                choosingUplinksOf: sandbox, from: listening.address, ports: ports, to: port.allowed, on: node, tool)
        }
        guard !rules.tables.isEmpty else { return warnings }
        for translation in await translations(of: port) {
            let which = translation.condition.map { ", where \($0) matches" }
            warnings.append(
                "\(which == nil ? "" : "some ")packets for \(listening) go to \(translation.leadsTo) first: by "
                    + "\(translation)\(which ?? "")")
        }
        guard !isElsewhere else {
            let way = PacketWay.Listening(
                transport: listening.transport, ports: listening.ports, translated: listening.ports,
                addresses: addresses, allowed: port.allowed, mark: mark, isFoundByMark: tool != .iptables,
                showsClient: port.sourceIP != .nat)
            for sandbox in balancers {
                warnings += await self.warnings(onTheWayTo: sandbox, listening, way, firewall)
            }
            return warnings
        }
        let families = tasks.isEmpty ? Set(AddressFamily.allCases) : Set(tasks.map(\.address.family))
        let translated = Self.translated(listening, in: datapath)
        let arriving = await firewall.answer(
            publishing: listening.transport, ports: listening.ports, translated: translated, at: addresses,
            allowed: port.allowed, families: families, mark: port.mark.rawValue)
        warnings += SurveyText.lines(
            "other hosts cannot reach \(listening)", "packets for \(listening)", arriving)
        var concerned: [[String]] = []
        var hidings: [String] = []
        for task in tasks.map(\.address) where !node.isOwn(task) {
            let found = await self.warnings(port, arriving, for: task, by: ways[task], firewall, in: datapath, tool)
            if !found.lines.isEmpty { concerned.append(found.lines) }
            hidings += found.hidings
        }
        warnings += hidings.eachOnce
        warnings += SurveyText.abridged(concerned, "task")
        if tasks.contains(where: { !node.isOwn($0.address) }) {
            warnings += SurveyText.lines(
                "replies from \(listening) do not leave this node", "replies from \(listening)",
                await firewall.answer(
                    repliesFrom: listening.ports, listening.transport, translated: translated, at: addresses,
                    allowed: port.allowed, families: families))
        }
        return warnings
    }

    /// The sandbox in each family in which it balances a port.
    private func sandboxes(of listening: PortBinding, in datapath: Datapath) -> [PacketWay.Sandbox] {
        let only = listening.address?.family
        let families = (datapath[.node].rules.ports[listening]?.families ?? []).filter { only ?? $0 == $0 }
        return SandboxLink.addresses.place.map(\.address).filter { families.contains($0.family) }.map {
            PacketWay.Sandbox(address: $0, interface: MeshNames.sandboxLink)
        }
    }

    /// Warnings about everything that keeps packets of a port from the sandbox that balances them, or the sandbox's
    /// replies from clients. The node forwards both.
    private func warnings(
        onTheWayTo sandbox: PacketWay.Sandbox, _ listening: PortBinding, _ way: PacketWay.Listening,
        _ firewall: Firewall
    ) async -> [String] {
        let (packets, replies) = ("packets for \(listening)", "replies from \(listening)")
        let arriving = await firewall.answer(forwardingTo: sandbox, way)
        let replied = await firewall.answer(repliesOf: sandbox, way)
        let mismatch = ZoneMismatch(arriving?.zonings ?? [], replied?.zonings ?? [], sandbox.address.family)
        return SurveyText.hidings("\(listening)", arriving)
            + SurveyText.lines("other hosts cannot reach \(listening)", packets, arriving)
            + SurveyText.lines("\(replies) do not come through", replies, replied)
            + SurveyText.lines(packets, replies, mismatch, isMasqueraded: true)
    }

    /// The number of ports that are examined. With a firewall of some hundred rules, this takes a second.
    private static let portsAsked = 500

    /// Warnings about everything that keeps clients from any port, each warning once.
    func warnings(_ request: MeshRequest, in datapath: Datapath, _ tool: RuleTool?) async -> [String] {
        let services = request.spec.services.sorted { $0.key < $1.key }.map(\.value).filter { !$0.ports.isEmpty }
        let ports = services.flatMap { service in
            service.ports.sorted { $0.listening < $1.listening }.map { (port: $0, tasks: service.tasks) }
        }
        let tasks = services.flatMap(\.tasks)
        let ways = rules.tables.isEmpty ? [:] : await ways(to: tasks)
        var warnings = await self.warnings(for: tasks)
        for (port, tasks) in ports.prefix(Self.portsAsked) {
            warnings += await self.warnings(port, for: tasks, by: ways, in: datapath, tool)
        }
        warnings += await self.warnings(onOverlaysOf: request)
        if ports.count > Self.portsAsked, !rules.tables.isEmpty {
            warnings.append("did not look at what is in the way of \(ports.count - Self.portsAsked) more ports")
        }
        return (warnings + unread).eachOnce
    }

    /// A line for each part of the host that could not be read, and of which nothing is known.
    var unread: [String] { rules.unread.map { "could not look at \($0)" } }

    /// Warnings about what other hosts may do after a plan.
    func warnings(after plan: Plan) async -> [String] {
        let forwarding: [(Sysctl, AddressFamily)] = [(.ipv4Forwarding, .ipv4), (.ipv6Forwarding, .ipv6)]
        var warnings: [String] = []
        for (sysctl, family) in forwarding {
            let isSwitchedOn = plan.steps.contains { step in
                if step.place == .node, case .sysctl(let change) = step.change {
                    change.sysctl == sysctl && change.new != "0"
                } else {
                    false
                }
            }
            guard isSwitchedOn, await Firewall(rules).forwardsForOthers(family) else { continue }
            let name = sysctl.rawValue.replacing("/", with: ".")
            warnings.append(
                "meshctl has switched on \(name), and no firewall rule of this host limits it: the host now routes for "
                    + "everybody. Restrict the FORWARD chain if that is not wanted.")
        }
        return warnings
    }

    /// The ports of a packet after our rules have translated it, as filter INPUT sees them.
    static func translated(_ listening: PortBinding, in datapath: Datapath) -> ClosedRange<UInt16> {
        let rule = datapath[.node].rules.ports[listening]
        guard let first = rule?.target ?? rule?.twin else { return listening.ports }
        return first...(first + UInt16(listening.ports.count - 1))
    }

    /// Whether our rules on the node translate a port to one of a task.
    static func isTranslatedByRules(_ listening: PortBinding, in datapath: Datapath) -> Bool {
        guard let rule = datapath[.node].rules.ports[listening] else { return false }
        return !rule.isElsewhere && (rule.target != nil || rule.twin != nil)
    }

    /// Whether conntrack of the node translates TCP connections to a port, besides IPVS or instead of it.
    private static func isTranslated(_ port: PublishedPort, in datapath: Datapath) -> Bool {
        let rules = datapath[.node].rules
        guard port.listening.transport == .tcp, let rule = rules.ports[port.listening] else { return false }
        return rule.isElsewhere || rule.target != nil || rule.twin != nil
            || rules.masqueraded.contains { $0.mark == port.mark }
    }

    private func translations(of port: PublishedPort) async -> [ForeignNAT] {
        await ForeignNAT.find(
            publishing: port.listening.transport, ports: port.listening.ports, at: addresses(of: port.listening),
            allowed: port.allowed, in: rules)
    }

    private func addresses(of listening: PortBinding) -> Set<IPAddress> {
        listening.address.map { [$0] } ?? Set(node.addresses.map(\.address))
    }
}
