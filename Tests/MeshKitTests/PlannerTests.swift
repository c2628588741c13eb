import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct PlannerTests {
    private static let web = PortBinding(1080, .tcp)

    private static func state(tasks: [MeshTask], scheduler: Scheduler = .roundRobin) throws -> MeshState {
        var state = MeshState()
        for task in tasks { try state.addTask(task, service: "nginx") }
        try state.publish(web, target: 80, service: "nginx", options: .init(scheduler: scheduler))
        return state
    }

    private static func compile(_ state: MeshState, on node: NodeFacts = NodeFacts()) -> Datapath {
        Compiler.compile(state, on: node)
    }

    private static func plan(
        from found: ObservedDatapath, to state: MeshState, before: MeshState? = nil, tool: RuleTool = .nftables
    ) -> Plan {
        Planner.plan(
            from: found, to: compile(state, on: found.node), before: before,
            owning: .init(state, tool: tool))
    }

    /// A kernel that holds just what a datapath says.
    private static func kernel(_ datapath: Datapath, tool: RuleTool = .nftables) -> ObservedDatapath {
        var found = ObservedDatapath()
        found.table = datapath.ipvs
        let rendered = tool.backend().render(datapath.rules)
        if rendered.role != nil { found.rules = ObservedRules(skeleton: .intact, elements: rendered.elements) }
        if datapath.detour != nil {
            found.detour = .intact
            found.detourRules = ObservedRules(skeleton: .intact)
        }
        found.sysctls = Dictionary(uniqueKeysWithValues: Sysctl.all.map { ($0, datapath.sysctls[$0] ?? "0") })
        found.sysctls[.reservedPorts] = ""
        found.timeouts = Timeouts(tcpSeconds: datapath.tcpTimeoutSeconds ?? 900)
        return found
    }

    private func lines(_ plan: Plan) -> [String] { plan.steps.map(\.description) }

    @Test func whatAPacketMeetsLastIsPutUpFirst() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        #expect(
            lines(Self.plan(from: Self.kernel(Datapath()), to: state)) == [
                "sysctl  net/ipv4/ip_forward = 1 (is 0)",
                "sysctl  net/ipv4/vs/conn_reuse_mode = 1 (is 0)",
                "sysctl  net/ipv4/vs/conntrack = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_nodest_conn = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_quiescent_template = 1 (is 0)",
                "IPVS    timeout of idle TCP connections = 7500 s (is 900 s)",
                "links   make the detour for 127.0.0.1: meshctl-lo and a namespace",
                "rules   nftables: install the mesh's rules, in the detour's namespace",
                "IPVS    create service FWM 256: scheduler rr",
                "IPVS    add destination 10.0.0.2:80 to FWM 256: Masq, weight 1",
                "rules   nftables: answers4 10.0.0.2 . tcp . 80",
                "rules   nftables: masquerade4 0x100 . 10.0.0.2",
                "rules   nftables: published 0x100",
                "rules   nftables: counters 0x100 : tcp-1080",
                "rules   nftables: marks tcp . 1080 : 0x100",
                "rules   nftables: install the mesh's rules",
            ])
    }

    @Test(arguments: RuleTool.allCases) func aSecondPassPlansNothing(tool: RuleTool) throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2"), MeshTask(address: "fd00::2", isLocal: true)])
        try state.publish(
            PortBinding(1000...1010, .udp, at: "10.0.0.1"), target: 2000, service: "nginx",
            options: .init(stickySeconds: 60, allowed: ["10.0.0.0/8", "0.0.0.0/0"]))
        var found = Self.kernel(Self.compile(state), tool: tool)
        found.table = ObservedTexts.table
        found.rules.elements = ObservedTexts.elements(tool)
        #expect(lines(Self.plan(from: found, to: state, tool: tool)) == [])
    }

    /// A persistent service looks at no destination's port: not translated, connections would go to the task's 1080.
    @Test(arguments: RuleTool.allCases) func theTranslationOfALivePortComesBeforeStickiness(tool: RuleTool) throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        let before = Self.kernel(Self.compile(state), tool: tool)
        try state.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 60))
        let target = tool == .nftables ? "targets4 0x100 . 1080 : 80" : "mesh-target4 0x100 . tcp . 1080 : 80"
        let service = "IPVS    change service FWM 256: scheduler rr"
        #expect(
            lines(Self.plan(from: before, to: state, tool: tool)) == [
                "rules   \(tool): \(target)", "\(service), sticky for 60 s",
            ])
        let sticky = Self.kernel(Self.compile(state), tool: tool)
        try state.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 0))
        #expect(lines(Self.plan(from: sticky, to: state, tool: tool)) == [service, "rules   \(tool): not \(target)"])
    }

    /// Not before: what nobody balances yet would reach a program of the node's own.
    @Test func theTranslationForAFamilyComesAfterItsService() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        try state.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 60))
        let before = Self.kernel(Self.compile(state))
        try state.addTask(MeshTask(address: "fd00::2", isLocal: true), service: "nginx")
        #expect(
            lines(Self.plan(from: before, to: state)) == [
                "sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)",
                "rules   nftables: answers6 fd00::2 . tcp . 80",
                "rules   nftables: hairpin6 fd00::2/128",
                "IPVS    create service FWM 256 IPv6: scheduler rr, sticky for 60 s",
                "IPVS    add destination [fd00::2]:80 to FWM 256 IPv6: Masq, weight 1",
                "rules   nftables: targets6 0x100 . 1080 : 80",
            ])
    }

    /// A connection that is not masqueraded from its beginning never is.
    @Test func whatIsBehindIPVSComesBeforeANewDestination() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        let before = Self.kernel(Self.compile(state))
        try state.addTask(MeshTask(address: "10.0.0.3"), service: "nginx")
        #expect(
            lines(Self.plan(from: before, to: state)) == [
                "rules   nftables: answers4 10.0.0.3 . tcp . 80",
                "rules   nftables: masquerade4 0x100 . 10.0.0.3",
                "IPVS    add destination 10.0.0.3:80 to FWM 256: Masq, weight 1",
            ])
    }

    @Test func takenDownInReverse() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        try state.publish(PortBinding(1081, .tcp), target: 80, service: "other")
        let before = Self.kernel(Self.compile(state))
        try state.unpublish(Self.web)
        #expect(
            lines(Self.plan(from: before, to: state)) == [
                "rules   nftables: not marks tcp . 1080 : 0x100", "rules   nftables: not counters 0x100 : tcp-1080",
                "IPVS    delete service FWM 256",
                "rules   nftables: not published 0x100", "rules   nftables: not masquerade4 0x100 . 10.0.0.2",
                "rules   nftables: not answers4 10.0.0.2 . tcp . 80",
            ])
    }

    @Test func theLastPortTakesTheDetourWithIt() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        let before = Self.kernel(Self.compile(state))
        try state.unpublish(Self.web)
        #expect(
            lines(Self.plan(from: before, to: state)) == [
                "rules   nftables: remove the mesh's rules", "IPVS    delete service FWM 256",
                "links   remove the detour for 127.0.0.1",
            ])
    }

    @Test func servicesThatAreNotOursAreLeftAlone() throws {
        var found = Self.kernel(Datapath())
        found.table = Table([
            Table.Entry(VirtualService(id: .firewallMark(7, .ipv4))),
            Table.Entry(VirtualService(id: .address("10.9.9.9", port: 80, protocol: .tcp))),
        ])
        var state = MeshState()
        state.retiringMarks = [0x100]
        #expect(Self.plan(from: found, to: state).isEmpty)
    }

    @Test func aServiceOfOursThatNobodyWantsGoes() throws {
        var found = Self.kernel(Datapath())
        found.table = Table([Table.Entry(VirtualService(id: .firewallMark(0x100, .ipv6)))])
        var state = MeshState()
        state.retiringMarks = [0x100]
        #expect(lines(Self.plan(from: found, to: state)) == ["IPVS    delete service FWM 256 IPv6"])
    }

    // MARK: What the compiler says

    @Test func whoseAddressTasksSee() throws {
        var state = try Self.state(
            tasks: [
                MeshTask(address: "10.0.0.2", isLocal: true), MeshTask(address: "10.0.0.3"),
                MeshTask(address: "10.0.0.1"),
            ])
        var node = NodeFacts()
        node.addresses = [InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "docker0")]
        // The node's own address needs no translation: what is sent to it does not leave.
        #expect(Self.compile(state, on: node).rules.masqueraded == [BalancedPath(0x100, to: "10.0.0.3")])
        #expect(Self.compile(state, on: node).rules.hairpins == ["10.0.0.0/24"])
        try state.publish(Self.web, target: 80, service: "nginx", options: .init(sourceIP: .keep))
        #expect(Self.compile(state, on: node).rules.masqueraded == [])
        try state.publish(Self.web, target: 80, service: "nginx", options: .init(sourceIP: .nat))
        #expect(
            Self.compile(state, on: node).rules.masqueraded == [
                BalancedPath(0x100, to: "10.0.0.2"), BalancedPath(0x100, to: "10.0.0.3"),
            ])
        #expect(Self.compile(state, on: node).rules.hairpins == [])
    }

    /// Where the rules see what a bridge passes on, a task reaches itself only by a port that turns packets back.
    @Test func portsOfBridgesWithTasksTurnPacketsBackAndAreLeftAsTheyWere() throws {
        var state = try Self.state(tasks: [MeshTask(address: "172.17.0.2", isLocal: true)])
        var found = Self.kernel(Self.compile(state))
        found.node.addresses = [InterfaceAddress(address: "172.17.0.1", prefixLength: 16, interface: "docker0")]
        found.node.bridgePorts = ["docker0": ["veth1": true, "veth2": false]]
        func steps() throws -> [String] {
            lines(Self.plan(from: found, to: state)).filter { $0.contains("bridge port") }
        }
        #expect(try steps() == [])
        found.node.filtersBridges = true
        #expect(
            try steps() == ["links   hairpin on for bridge port veth2, so that a task behind it reaches itself"])
        found.node.bridgePorts = ["docker0": ["veth1": true, "veth2": true]]
        #expect(try steps() == [])
        // Ours to take back, and not what somebody else has set.
        try state.unpublish(Self.web)
        #expect(try steps() == [])
        state.hairpinPorts = ["veth2", "veth3"]
        #expect(try steps() == ["links   hairpin off for bridge port veth2"])
        // Also when the rules see bridges no longer.
        found.node.filtersBridges = false
        #expect(try steps() == ["links   hairpin off for bridge port veth2"])
    }

    @Test func aServiceThatIsNotPublishedCostsNothing() throws {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.0.0.2"), service: "nginx")
        #expect(Self.compile(state) == Datapath())
    }

    @Test func aFamilyWithoutTasksHasNoService() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        #expect(Self.compile(state).ipvs.entries.keys.map(\.family) == [.ipv4])
        #expect(Self.compile(state).sysctls[.ipv6Forwarding] == nil)
    }

    @Test(arguments: [Scheduler.sourceHashing, .maglevHashing]) func hashingSchedulersFallBack(scheduler: Scheduler)
        throws
    {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")], scheduler: scheduler)
        #expect(Self.compile(state).ipvs.entries.values.map(\.service.flags) == [.hashFallback])
    }

    /// With persistence IPVS looks at no destination's port, and a range has only one: both are translated before.
    @Test(
        arguments: [
            (PortBinding(1080, .tcp), UInt16(80), nil, UInt16(80), nil), (PortBinding(1080, .tcp), 80, 60, 80, 80),
            (PortBinding(1080, .tcp), 1080, 60, 1080, nil), (PortBinding(10...20, .tcp), 10, nil, 0, nil),
            (PortBinding(10...20, .tcp), 30, nil, 0, 30), (PortBinding(10...20, .tcp), 30, 60, 0, 30),
        ] as [(PortBinding, UInt16, UInt32?, UInt16, UInt16?)])
    func whoTranslatesThePort(
        binding: PortBinding, target: UInt16, sticky: UInt32?, destination: UInt16, translated: UInt16?
    ) throws {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.0.0.2"), service: "nginx")
        try state.publish(binding, target: target, service: "nginx", options: .init(stickySeconds: sticky))
        let datapath = Self.compile(state)
        #expect(datapath.ipvs.entries.values.flatMap(\.destinations.keys).map(\.port) == [destination])
        #expect(datapath.rules.ports[binding]?.target == translated)
    }

    @Test func aPortAtOneAddressIsOfItsFamily() throws {
        var state = MeshState()
        for address in ["10.0.0.2", "fd00::2"] as [IPAddress] {
            try state.addTask(MeshTask(address: address), service: "nginx")
        }
        try state.publish(PortBinding(1080, .tcp, at: "10.0.0.1"), target: 80, service: "nginx")
        let datapath = Self.compile(state)
        #expect(datapath.ipvs.entries.keys.map(\.family) == [.ipv4])
        #expect(datapath.rules.masqueraded == [BalancedPath(0x100, to: "10.0.0.2")])
    }

    @Test func routerAdvertisementsAreTakenBeforeForwardingBegins() throws {
        let state = try Self.state(tasks: [MeshTask(address: "fd00::2")])
        var found = Self.kernel(Datapath())
        found.node.interfacesWithRouterAdvertisements = ["eth0"]
        let steps = lines(Self.plan(from: found, to: state))
        #expect(steps.first == "sysctl  net/ipv6/conf/eth0/accept_ra = 2 (is 1)")
        #expect(steps.contains("sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)"))
    }

    @Test func connectionsAreReusedAsTheKernelCan() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        var node = NodeFacts()
        node.kernel = try #require(KernelVersion(release: "5.4.0-26-generic"))
        #expect(Self.compile(state, on: node).sysctls[.connectionReuse] == nil)
        node.kernel = try #require(KernelVersion(release: "5.10.0"))
        #expect(Self.compile(state, on: node).sysctls[.connectionReuse] == "1")
    }

    /// Where somebody else balances, too, a timeout is only ever made longer.
    @Test(arguments: [
        (900, true, true), (900, false, true), (9000, true, false), (9000, false, true), (7500, false, false),
    ])
    func timeouts(current: UInt32, isShared: Bool, isSet: Bool) throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        var found = Self.kernel(Self.compile(state))
        found.timeouts = Timeouts(tcpSeconds: current)
        if isShared { found.table[.firewallMark(7, .ipv4)] = Table.Entry(VirtualService(id: .firewallMark(7, .ipv4))) }
        #expect(
            lines(Self.plan(from: found, to: state))
                == (isSet ? ["IPVS    timeout of idle TCP connections = 7500 s (is \(current) s)"] : []))
    }

    // MARK: Ports of the node's own

    @Test func portsOfOthersStayReserved() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        try state.publish(PortBinding(40000, .tcp), target: 80, service: "nginx")
        var found = Self.kernel(Self.compile(state))
        found.sysctls[.reservedPorts] = "8080,40001"
        #expect(
            lines(Self.plan(from: found, to: state)) == [
                "sysctl  net/ipv4/ip_local_reserved_ports = 8080,40000-40001 (is 8080,40001)"
            ])
        state.reservedPorts = [40000...40000]
        found.sysctls[.reservedPorts] = "8080,40000-40001"
        #expect(Self.plan(from: found, to: state).isEmpty)
        try state.unpublish(PortBinding(40000, .tcp))
        #expect(
            lines(Self.plan(from: found, to: state)).first
                == "sysctl  net/ipv4/ip_local_reserved_ports = 8080,40001 (is 8080,40000-40001)")
    }

    /// A node whose every port is reserved could connect to nothing.
    @Test func halfOfTheNodesPortsAreLeftToIt() {
        let local: ClosedRange<UInt16> = 32768...60999
        func reserved(_ ports: [ClosedRange<UInt16>]) -> [ClosedRange<UInt16>] {
            PortReservation.reservable(ports.map { PortBinding($0, .tcp) }, among: local)
        }
        #expect(reserved([80...80, 40000...40000]) == [40000...40000])
        #expect(reserved([30000...33000]) == [32768...33000])
        #expect(reserved([32768...60999]) == [])
        #expect(reserved([32768...60999, 50000...50010]) == [50000...50010])
        #expect(reserved([32768...46883]) == [32768...46883], "just half of 28232")
        #expect(reserved([32768...46884]) == [])
    }

    // MARK: Flows

    @Test func udpFlowsAreForgottenWhereTheyLeadNowhere() throws {
        let dns = PortBinding(53, .udp)
        var state = MeshState()
        for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] {
            try state.addTask(MeshTask(address: address), service: "dns")
        }
        let empty = state
        try state.publish(dns, target: 53, service: "dns")
        try state.publish(Self.web, target: 80, service: "dns")
        func flows(_ plan: Plan) -> [String] { lines(plan).filter { $0.hasPrefix("flows") } }

        #expect(
            flows(Self.plan(from: Self.kernel(Datapath()), to: state, before: empty)) == [
                "flows   forget flows to 53/udp"
            ])
        let kernel = Self.kernel(Self.compile(state))
        #expect(Self.plan(from: kernel, to: state, before: state).isEmpty)

        var without = state
        try without.removeTask("10.0.0.2", service: "dns")
        #expect(
            flows(Self.plan(from: kernel, to: without, before: state)) == ["flows   forget flows to 53/udp of 10.0.0.2"]
        )
        without = state
        try without.unpublish(dns)
        #expect(flows(Self.plan(from: kernel, to: without, before: state)) == ["flows   forget flows to 53/udp"])
        // What an earlier pass may have left undone.
        var unfinished = state
        unfinished.staleFlows = [dns, PortBinding(54, .udp)]
        #expect(
            flows(Self.plan(from: kernel, to: unfinished)) == [
                "flows   forget flows to 53/udp", "flows   forget flows to 54/udp",
            ])
        // Whoever sent before the first task came, or after the last had gone.
        var emptied = state
        for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] { try emptied.removeTask(address, service: "dns") }
        #expect(flows(Self.plan(from: kernel, to: emptied, before: state)) == ["flows   forget flows to 53/udp"])
        #expect(
            flows(Self.plan(from: Self.kernel(Self.compile(emptied)), to: state, before: emptied)) == [
                "flows   forget flows to 53/udp"
            ])
        // Somebody took the element out: what was sent meanwhile went nowhere.
        var damaged = kernel
        damaged.rules.elements = damaged.rules.elements.filter { $0.transport != .udp }
        #expect(flows(Self.plan(from: damaged, to: state, before: state)) == ["flows   forget flows to 53/udp"])
    }

    // MARK: The detour

    /// Without CAP_SYS_ADMIN nobody can look: what was put up is taken for being there, and nothing else is.
    @Test func aDetourThatCannotBeSeenIsNoDrift() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        var found = Self.kernel(Self.compile(state))
        found.detour = .hidden
        found.detourRules = ObservedRules()
        #expect(Self.plan(from: found, to: state).isEmpty)
        var without = state
        without.hasLoopback = false
        #expect(lines(Self.plan(from: found, to: without)).allSatisfy { !$0.hasPrefix("links") })
        found = Self.kernel(Datapath())
        found.detour = .hidden
        #expect(
            lines(Self.plan(from: found, to: state, before: MeshState())).contains {
                $0.hasPrefix("links   make the detour")
            })
    }

    // MARK: Another tool

    /// Killed in between, a change of tools is finished by whoever comes next.
    @Test func theOtherToolIsRememberedUntilItsRulesAreGone() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        state.rules = .nftables
        state.formerRules = .iptables
        #expect(Planner.Ownership(state, tool: .nftables).formerTool == .iptables)
        #expect(Planner.Ownership(state, tool: .iptables).formerTool == .nftables)
        state.formerRules = nil
        #expect(Planner.Ownership(state, tool: .nftables).formerTool == nil)
    }

    @Test func theOtherToolsRulesGoLast() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        state.rules = .iptables
        var found = Self.kernel(Self.compile(state))
        found.rules = ObservedRules()
        found.formerRules = ObservedRules(skeleton: .intact)
        let steps = lines(Self.plan(from: found, to: state, tool: .nftables))
        #expect(steps.last == "rules   iptables: remove the mesh's rules")
        #expect(steps.contains("rules   nftables: install the mesh's rules"))

        found.detour = .intact
        found.formerDetourRules = ObservedRules(skeleton: .intact)
        #expect(
            lines(Self.plan(from: found, to: state, tool: .nftables)).last
                == "rules   iptables: remove the mesh's rules, in the detour's namespace")
        // They go with the namespace where that is made anew.
        found.detour = .damaged(["meshctl-lo is missing"])
        #expect(
            lines(Self.plan(from: found, to: state, tool: .nftables)).last
                == "rules   iptables: remove the mesh's rules")
    }
}
