import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What the compiler says.
extension PlannerTests {
    @Test func whoseAddressTasksSee() throws {
        var spec = try PlanningNode.spec(
            tasks: [
                SpecTask(address: "10.0.0.2", node: "node1"), SpecTask(address: "10.0.0.3"),
                SpecTask(address: "10.0.0.1"),
            ])
        var node = NodeFacts()
        node.addresses = [InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "docker0")]
        // The node's own address needs no translation: what is sent to it does not leave.
        #expect(PlanningNode.compile(spec, on: node)[.node].rules.masqueraded == [BalancedPath(0x100, to: "10.0.0.3")])
        #expect(PlanningNode.compile(spec, on: node)[.node].rules.hairpins == ["10.0.0.0/24"])
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(sourceIP: .keep))
        #expect(PlanningNode.compile(spec, on: node)[.node].rules.masqueraded == [])
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(sourceIP: .nat))
        #expect(
            PlanningNode.compile(spec, on: node)[.node].rules.masqueraded == [
                BalancedPath(0x100, to: "10.0.0.2"), BalancedPath(0x100, to: "10.0.0.3"),
            ])
        #expect(PlanningNode.compile(spec, on: node)[.node].rules.hairpins == [])
    }

    /// Where the rules see what a bridge passes on, a task reaches itself only by a port that turns packets back.
    @Test func portsOfBridgesWithTasksTurnPacketsBackAndAreLeftAsTheyWere() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "172.17.0.2", node: "node1")])
        var found = PlanningNode.kernel(PlanningNode.compile(spec))
        found.node.addresses = [InterfaceAddress(address: "172.17.0.1", prefixLength: 16, interface: "docker0")]
        found.node.bridgePorts = .known(["docker0": ["veth1": true, "veth2": false]])
        var ledger = PlanningNode.ledger(owning: spec)
        func steps() throws -> [String] {
            lines(PlanningNode.plan(from: found, to: spec, ledger: ledger)).filter { $0.contains("bridge port") }
        }
        #expect(try steps() == [])
        found.node.filtersBridges = true
        #expect(
            try steps() == ["links   hairpin on for bridge port veth2, so that a task behind it reaches itself"])
        found.node.bridgePorts = .known(["docker0": ["veth1": true, "veth2": true]])
        #expect(try steps() == [])
        // Ours to take back, and not what somebody else has set.
        try spec.unpublish(Self.web)
        #expect(try steps() == [])
        ledger[.node].hairpinPorts = ["veth2", "veth3"]
        #expect(try steps() == ["links   hairpin off for bridge port veth2"])
        // Also when the rules see bridges no longer.
        found.node.filtersBridges = false
        #expect(try steps() == ["links   hairpin off for bridge port veth2"])
    }

    @Test func aServiceThatIsNotPublishedCostsNothing() throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "nginx")
        #expect(PlanningNode.compile(spec) == Datapath())
    }

    @Test func aFamilyWithoutTasksHasNoService() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        #expect(PlanningNode.compile(spec)[.node].ipvs.entries.keys.map(\.family) == [.ipv4])
        #expect(PlanningNode.compile(spec)[.node].sysctls[.ipv6Forwarding] == nil)
    }

    @Test(arguments: [Scheduler.sourceHashing, .maglevHashing]) func hashingSchedulersFallBack(scheduler: Scheduler)
        throws
    {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")], scheduler: scheduler)
        #expect(PlanningNode.compile(spec)[.node].ipvs.entries.values.map(\.service.flags) == [.hashFallback])
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
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "nginx")
        try spec.publish(binding, target: target, service: "nginx", options: .init(stickySeconds: sticky))
        let datapath = PlanningNode.compile(spec)
        #expect(datapath[.node].ipvs.entries.values.flatMap(\.destinations.keys).map(\.port) == [destination])
        #expect(datapath[.node].rules.ports[binding]?.target == translated)
    }

    @Test func aPortAtOneAddressIsOfItsFamily() throws {
        var spec = MeshSpec()
        for address in ["10.0.0.2", "fd00::2"] as [IPAddress] {
            try spec.addTask(SpecTask(address: address), service: "nginx")
        }
        try spec.publish(PortBinding(1080, .tcp, at: "10.0.0.1"), target: 80, service: "nginx")
        let datapath = PlanningNode.compile(spec)
        #expect(datapath[.node].ipvs.entries.keys.map(\.family) == [.ipv4])
        #expect(datapath[.node].rules.masqueraded == [BalancedPath(0x100, to: "10.0.0.2")])
    }

    @Test func routerAdvertisementsAreTakenBeforeForwardingBegins() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "fd00::2")])
        var found = PlanningNode.kernel()
        found.node.outwardInterfaces = ["eth0"]
        found[.node].sysctls[.acceptRouterAdvertisements("eth0")] = .known("1")
        found.node.settings = found[.node].sysctls.compactMapValues(\.value)
        found.node.settings[.forwarding("eth0", .ipv6)] = "0"
        let steps = lines(PlanningNode.plan(from: found, to: spec))
        let own = steps.filter { $0.hasPrefix("sysctl  net/ipv") && !$0.contains("loopback") }
        #expect(own.first == "sysctl  net/ipv6/conf/eth0/accept_ra = 2 (is 1)")
        #expect(own.contains("sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)"))
    }

    @Test func connectionsAreReusedAsTheKernelCan() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        var node = NodeFacts()
        node.kernel = try #require(KernelVersion(release: "5.4.0-26-generic"))
        #expect(PlanningNode.compile(spec, on: node)[.node].sysctls[.connectionReuse] == nil)
        node.kernel = try #require(KernelVersion(release: "5.10.0"))
        #expect(PlanningNode.compile(spec, on: node)[.node].sysctls[.connectionReuse] == "1")
    }

    /// Where somebody else balances, too, a timeout is only ever made longer.
    @Test(arguments: [
        (900, true, true), (900, false, true), (9000, true, false), (9000, false, true), (7500, false, false),
    ])
    func timeouts(current: UInt32, isShared: Bool, isSet: Bool) throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        var found = PlanningNode.kernel(PlanningNode.compile(spec))
        found[.node].timeouts = Timeouts(tcpSeconds: current)
        if isShared {
            found[.node].table[.firewallMark(7, .ipv4)] = Table.Entry(VirtualService(id: .firewallMark(7, .ipv4)))
        }
        #expect(
            lines(PlanningNode.plan(from: found, to: spec))
                == (isSet ? ["IPVS    timeout of idle TCP connections = 7500 s (is \(current) s)"] : []))
    }
}
