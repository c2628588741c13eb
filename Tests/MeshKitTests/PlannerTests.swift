import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct PlannerTests {
    private static let web = TransportPort(1080, .tcp)

    private static func state(tasks: [MeshTask], scheduler: Scheduler = .roundRobin) throws -> MeshState {
        var state = MeshState()
        for task in tasks { try state.addTask(task, service: "nginx") }
        try state.publish(web, target: 80, service: "nginx", scheduler: scheduler)
        return state
    }

    /// A kernel that holds just what a datapath says.
    private static func kernel(_ datapath: Datapath, forwarding: String = "1") -> ObservedDatapath {
        ObservedDatapath(
            services: datapath.ipvs.entries.values.map { entry in
                VirtualServiceStatus(
                    service: entry.service,
                    destinations: entry.destinations.values.map {
                        DestinationStatus(destination: $0)
                    })
            },
            rules: datapath.rules.isEmpty
                ? ObservedRules() : ObservedRules(skeleton: .intact, rules: datapath.rules),
            sysctls: Dictionary(uniqueKeysWithValues: Sysctl.all.map { ($0, datapath.sysctls[$0] ?? "0") }))
    }

    private func lines(_ plan: Plan) -> [String] { plan.steps.map(\.description) }

    @Test func whatAPacketMeetsLastIsPutUpFirst() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        let plan = Planner.plan(from: Self.kernel(Datapath()), to: Compiler.compile(state), owned: state.ownedMarks)
        #expect(
            lines(plan) == [
                "sysctl  net/ipv4/ip_forward = 1 (is 0)",
                "sysctl  net/ipv4/vs/conntrack = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_nodest_conn = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_quiescent_template = 1 (is 0)",
                "IPVS    create service FWM 256: scheduler rr",
                "IPVS    add destination 10.0.0.2:80 to FWM 256: Masq, weight 1",
                "rules   let replies of 10.0.0.2 through",
                "rules   SNAT balanced packets to 10.0.0.2",
                "rules   mark 1080/tcp with 0x100",
                "rules   install the mesh's chains and sets",
            ])
    }

    @Test func aSecondPassPlansNothing() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2"), MeshTask(address: "fd00::2", isLocal: true)])
        let datapath = Compiler.compile(state)
        #expect(Planner.plan(from: Self.kernel(datapath), to: datapath, owned: state.ownedMarks).isEmpty)
    }

    @Test func takenDownInReverse() throws {
        var state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        try state.publish(TransportPort(1081, .tcp), target: 80, service: "other")
        let before = Self.kernel(Compiler.compile(state))
        try state.unpublish(Self.web)
        let plan = Planner.plan(from: before, to: Compiler.compile(state), owned: state.ownedMarks)
        #expect(
            lines(plan) == [
                "rules   mark 1080/tcp no longer", "IPVS    delete service FWM 256",
                "rules   let replies of 10.0.0.2 through no longer",
                "rules   SNAT balanced packets to 10.0.0.2 no longer",
            ])
    }

    @Test func servicesThatAreNotOursAreLeftAlone() throws {
        let foreign = VirtualServiceStatus(
            service: VirtualService(id: .firewallMark(7, .ipv4)))
        let byAddress = VirtualServiceStatus(
            service: VirtualService(id: .address("10.9.9.9", port: 80, protocol: .tcp)))
        var found = Self.kernel(Datapath())
        found.services = [foreign, byAddress]
        #expect(Planner.plan(from: found, to: Datapath(), owned: [0x100]).isEmpty)
    }

    @Test func aServiceOfOursThatNobodyWantsGoes() throws {
        var found = Self.kernel(Datapath())
        found.services = [VirtualServiceStatus(service: VirtualService(id: .firewallMark(0x100, .ipv6)))]
        #expect(
            lines(Planner.plan(from: found, to: Datapath(), owned: [0x100])) == ["IPVS    delete service FWM 256 IPv6"])
    }

    @Test func localTasksKeepTheClientsAddress() throws {
        let state = try Self.state(
            tasks: [MeshTask(address: "10.0.0.2", isLocal: true), MeshTask(address: "10.0.0.3")])
        #expect(
            Compiler.compile(state).rules.addresses == [.tasks: ["10.0.0.2", "10.0.0.3"], .sourceNAT: ["10.0.0.3"]])
    }

    @Test func aServiceThatIsNotPublishedCostsNothing() throws {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.0.0.2"), service: "nginx")
        #expect(Compiler.compile(state) == Datapath())
    }

    @Test func aFamilyWithoutTasksHasNoService() throws {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")])
        #expect(Compiler.compile(state).ipvs.entries.keys.map(\.family) == [.ipv4])
        #expect(Compiler.compile(state).sysctls[.ipv6Forwarding] == nil)
    }

    @Test(arguments: [Scheduler.sourceHashing, .maglevHashing]) func hashingSchedulersFallBack(scheduler: Scheduler)
        throws
    {
        let state = try Self.state(tasks: [MeshTask(address: "10.0.0.2")], scheduler: scheduler)
        #expect(Compiler.compile(state).ipvs.entries.values.map(\.service.flags) == [.hashFallback])
    }

    @Test func routerAdvertisementsAreTakenBeforeForwardingBegins() throws {
        let state = try Self.state(tasks: [MeshTask(address: "fd00::2")])
        var found = Self.kernel(Datapath())
        found.interfacesWithRouterAdvertisements = ["eth0"]
        let steps = lines(Planner.plan(from: found, to: Compiler.compile(state), owned: state.ownedMarks))
        #expect(steps.first == "sysctl  net/ipv6/conf/eth0/accept_ra = 2 (is 1)")
        #expect(steps.contains("sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)"))
    }
}
