import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct PlannerTests {
    static let web = PlanningNode.web

    func lines(_ plan: Plan) -> [String] { PlanningNode.lines(plan) }

    @Test func whatAPacketMeetsLastIsPutUpFirst() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        #expect(
            lines(PlanningNode.plan(from: PlanningNode.kernel(), to: spec)) == [
                "links   make the namespace meshctl-lo-4711, for the place loopback",
                "links   make the veth pair meshctl-lo and eth0 in loopback",
                "sysctl  net/ipv4/conf/all/send_redirects = 0, in loopback",
                "sysctl  net/ipv4/ip_forward = 1, in loopback",
                "sysctl  net/ipv4/conf/eth0/send_redirects = 0, in loopback",
                "sysctl  net/ipv6/conf/eth0/disable_ipv6 = 1, in loopback",
                "sysctl  net/ipv4/ip_forward = 1 (is 0)",
                "sysctl  net/ipv4/vs/conn_reuse_mode = 1 (is 0)",
                "sysctl  net/ipv4/vs/conntrack = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_nodest_conn = 1 (is 0)",
                "sysctl  net/ipv4/vs/expire_quiescent_template = 1 (is 0)",
                "sysctl  net/ipv4/conf/meshctl-lo/forwarding = 1",
                "sysctl  net/ipv4/conf/meshctl-lo/route_localnet = 1",
                "sysctl  net/ipv6/conf/meshctl-lo/disable_ipv6 = 1",
                "links   raise eth0 in loopback with 169.254.113.2/30",
                "links   raise meshctl-lo with 169.254.113.1/30",
                "IPVS    timeout of idle TCP connections = 7500 s (is 900 s)",
                "IPVS    create service FWM 256: scheduler rr",
                "IPVS    add destination 10.0.0.2:80 to FWM 256: Masq, weight 1",
                "rules   nftables: install the mesh's rules, in loopback",
                "rules   nftables: answers4 10.0.0.2 . tcp . 80",
                "rules   nftables: masquerade4 0x100 . 10.0.0.2",
                "rules   nftables: published 0x100",
                "rules   nftables: counters 0x100 : tcp-1080",
                "rules   nftables: marks tcp . 1080 : 0x100",
                "rules   nftables: install the mesh's rules",
            ])
    }

    @Test(arguments: RuleTool.allCases) func aSecondPassPlansNothing(tool: RuleTool) throws {
        var spec = try PlanningNode.spec(tasks: [
            SpecTask(address: "10.0.0.2"), SpecTask(address: "fd00::2", node: "node1"),
        ])
        try spec.publish(
            PortBinding(1000...1010, .udp, at: "10.0.0.1"), target: 2000, service: "nginx",
            options: .init(stickySeconds: 60, allowed: ["10.0.0.0/8", "0.0.0.0/0"]))
        var found = PlanningNode.kernel(PlanningNode.compile(spec), tool: tool)
        found[.node].table = ObservedTexts.table
        found[.node].rules.elements = ObservedTexts.elements(tool)
        #expect(lines(PlanningNode.plan(from: found, to: spec, tool: tool)) == [])
    }

    /// A persistent service looks at no destination's port: not translated, connections would go to the task's 1080.
    @Test(arguments: RuleTool.allCases) func theTranslationOfALivePortComesBeforeStickiness(tool: RuleTool) throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        let before = PlanningNode.kernel(PlanningNode.compile(spec), tool: tool)
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 60))
        let target = tool == .nftables ? "targets4 0x100 . 1080 : 80" : "mesh-target4 0x100 . tcp . 1080 : 80"
        let service = "IPVS    change service FWM 256: scheduler rr"
        #expect(
            lines(PlanningNode.plan(from: before, to: spec, tool: tool)) == [
                "rules   \(tool): \(target)", "\(service), sticky for 60 s",
            ])
        let sticky = PlanningNode.kernel(PlanningNode.compile(spec), tool: tool)
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 0))
        #expect(
            lines(PlanningNode.plan(from: sticky, to: spec, tool: tool)) == [service, "rules   \(tool): not \(target)"])
    }

    /// Not before: what nobody balances yet would reach a program of the node's own.
    @Test func theTranslationForAFamilyComesAfterItsService() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        try spec.publish(Self.web, target: 80, service: "nginx", options: .init(stickySeconds: 60))
        let before = PlanningNode.kernel(PlanningNode.compile(spec))
        try spec.addTask(SpecTask(address: "fd00::2", node: "node1"), service: "nginx")
        #expect(
            lines(PlanningNode.plan(from: before, to: spec)) == [
                "sysctl  net/ipv6/conf/all/forwarding = 1, in loopback",
                "sysctl  net/ipv6/conf/eth0/accept_dad = 0, in loopback",
                "sysctl  net/ipv6/conf/eth0/accept_ra = 0, in loopback",
                "sysctl  net/ipv6/conf/eth0/disable_ipv6 = 0 (is 1), in loopback",
                "sysctl  net/ipv6/conf/all/forwarding = 1 (is 0)",
                "sysctl  net/ipv6/conf/meshctl-lo/accept_dad = 0", "sysctl  net/ipv6/conf/meshctl-lo/accept_ra = 0",
                "sysctl  net/ipv6/conf/meshctl-lo/disable_ipv6 = 0 (is 1)",
                """
                links   mend eth0 in loopback
                          eth0 in loopback lacks the address fd6d:6573:6863:746d::2/64
                          eth0 in loopback does not know its neighbour fd6d:6573:6863:746d::1
                """,
                """
                links   mend meshctl-lo
                          meshctl-lo lacks the address fd6d:6573:6863:746d::1/64
                          meshctl-lo lacks the route local ::1/128
                          meshctl-lo does not know its neighbour fd6d:6573:6863:746d::2
                """,
                "rules   nftables: answers6 fd00::2 . tcp . 80",
                "rules   nftables: hairpin6 fd00::2/128",
                "IPVS    create service FWM 256 IPv6: scheduler rr, sticky for 60 s",
                "IPVS    add destination [fd00::2]:80 to FWM 256 IPv6: Masq, weight 1",
                "rules   nftables: targets6 0x100 . 1080 : 80",
            ])
    }

    /// A setting of a namespace that goes cannot be written once it has gone. A reset that was refused that, and was killed
    /// before its end, left behind that this host could not carry the place.
    @Test func theSettingsOfANamespaceThatIsRemovedGoWithIt() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        let found = PlanningNode.kernel(PlanningNode.compile(spec))
        var ledger = PlanningNode.ledger(owning: spec)
        for place in [PlaceID.node, .loopback] {
            ledger[place].settings[.ipv4Forwarding] = OriginalSetting(found: "0", written: "1")
        }
        ledger[.loopback].namespace = LoopbackDetour.namespaceName(nodeInode: PlanningNode.home.inode)
        let outcome = Pass.run(
            spec: MeshSpec(), former: spec, ledger: ledger, observed: found, purpose: .reset, tool: .nftables,
            now: BootTime(nanoseconds: 1))
        let steps = lines(outcome.plan)
        #expect(steps.contains { $0.contains("ip_forward = 0") } && !steps.contains { $0.hasSuffix("in loopback") })
        #expect(outcome.plan.steps.contains { $0.place == .loopback && $0.phase == .leavingNamespaces }, "\(steps)")
        #expect(outcome.settled.places.isEmpty)
    }

    /// A connection that is not masqueraded from its beginning never is.
    @Test func whatIsBehindIPVSComesBeforeANewDestination() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        let before = PlanningNode.kernel(PlanningNode.compile(spec))
        try spec.addTask(SpecTask(address: "10.0.0.3"), service: "nginx")
        #expect(
            lines(PlanningNode.plan(from: before, to: spec)) == [
                "rules   nftables: answers4 10.0.0.3 . tcp . 80",
                "rules   nftables: masquerade4 0x100 . 10.0.0.3",
                "IPVS    add destination 10.0.0.3:80 to FWM 256: Masq, weight 1",
            ])
    }

    @Test func takenDownInReverse() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        try spec.publish(PortBinding(1081, .tcp), target: 80, service: "other")
        let before = PlanningNode.kernel(PlanningNode.compile(spec))
        let published = spec
        try spec.unpublish(Self.web)
        #expect(
            lines(PlanningNode.plan(from: before, to: spec, before: published)) == [
                "rules   nftables: not marks tcp . 1080 : 0x100", "rules   nftables: not counters 0x100 : tcp-1080",
                "IPVS    delete service FWM 256",
                "rules   nftables: not published 0x100", "rules   nftables: not masquerade4 0x100 . 10.0.0.2",
                "rules   nftables: not answers4 10.0.0.2 . tcp . 80",
            ])
    }

    @Test func theLastPortTakesTheDetourWithIt() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        let before = PlanningNode.kernel(PlanningNode.compile(spec))
        let published = spec
        try spec.unpublish(Self.web)
        #expect(
            lines(PlanningNode.plan(from: before, to: spec, before: published)) == [
                "rules   nftables: remove the mesh's rules", "IPVS    delete service FWM 256",
                "links   remove the interface meshctl-lo",
                "links   remove the namespace meshctl-lo-4711, of the place loopback",
            ])
    }

    @Test func servicesThatAreNotOursAreLeftAlone() throws {
        var found = PlanningNode.kernel()
        found[.node].table = Table([
            Table.Entry(VirtualService(id: .firewallMark(7, .ipv4))),
            Table.Entry(VirtualService(id: .address("10.9.9.9", port: 80, protocol: .tcp))),
        ])
        var ledger = PlanningNode.ledger()
        ledger[.node].marks[0x100] = OwnedMark(binding: nil)
        #expect(PlanningNode.plan(from: found, to: MeshSpec(), ledger: ledger).isEmpty)
    }

    @Test func aServiceOfOursThatNobodyWantsGoes() throws {
        var found = PlanningNode.kernel()
        found[.node].table = Table([Table.Entry(VirtualService(id: .firewallMark(0x100, .ipv6)))])
        var ledger = PlanningNode.ledger()
        ledger[.node].marks[0x100] = OwnedMark(binding: nil)
        #expect(
            lines(PlanningNode.plan(from: found, to: MeshSpec(), ledger: ledger)) == [
                "IPVS    delete service FWM 256 IPv6"
            ])
    }

    // MARK: Ports of the node's own

    @Test func portsOfOthersStayReserved() throws {
        var spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        try spec.publish(PortBinding(40000, .tcp), target: 80, service: "nginx")
        var found = PlanningNode.kernel(PlanningNode.compile(spec))
        found[.node].sysctls[.reservedPorts] = .known("8080,40001")
        #expect(
            lines(PlanningNode.plan(from: found, to: spec)) == [
                "sysctl  net/ipv4/ip_local_reserved_ports = 8080,40000-40001 (is 8080,40001)"
            ])
        var ledger = PlanningNode.ledger(owning: spec)
        ledger[.node].reservedPorts = [40000...40000]
        found[.node].sysctls[.reservedPorts] = .known("8080,40000-40001")
        #expect(PlanningNode.plan(from: found, to: spec, ledger: ledger).isEmpty)
        try spec.unpublish(PortBinding(40000, .tcp))
        #expect(
            lines(PlanningNode.plan(from: found, to: spec, ledger: ledger)).first
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

    // MARK: Places that cannot be looked at

    /// Without CAP_SYS_ADMIN nobody can look: nothing is concluded, in either direction.
    @Test func aPlaceThatCannotBeSeenIsNoDrift() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        var found = PlanningNode.kernel(PlanningNode.compile(spec))
        found[.loopback] = ObservedPlace()
        found[.loopback].existence = .unreadable("Operation not permitted")
        let plan = PlanningNode.plan(from: found, to: spec)
        #expect(plan.isEmpty)
        #expect(plan.notes == ["not looked at: loopback: Operation not permitted"])
        var without = PlanningNode.ledger(owning: spec)
        without[.loopback].refusal = "not here"
        #expect(lines(PlanningNode.plan(from: found, to: spec, ledger: without)).allSatisfy { !$0.hasPrefix("links") })
    }

    /// A setting that nobody could read is neither written nor taken for one that the kernel has not.
    @Test func aSettingThatCannotBeReadIsNoDrift() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        var found = PlanningNode.kernel(PlanningNode.compile(spec))
        found[.node].sysctls[.ipvsConntrack] = .unreadable("Too many open files")
        found[.node].sysctls[.reservedPorts] = .unreadable("Too many open files")
        let plan = PlanningNode.plan(from: found, to: spec)
        #expect(plan.isEmpty)
        #expect(
            plan.notes == [
                "not looked at: net/ipv4/vs/conntrack: Too many open files",
                "not looked at: net/ipv4/ip_local_reserved_ports: Too many open files",
            ])
    }

    // MARK: Another tool

    /// Killed in between, a change of tools is finished by whoever comes next.
    @Test func theOtherToolIsRememberedUntilItsRulesAreGone() {
        var holdings = Holdings()
        holdings.rules = .nftables
        holdings.formerRules = .iptables
        #expect(holdings.formerRules(besides: .nftables) == .iptables)
        #expect(holdings.formerRules(besides: .iptables) == .nftables)
        holdings.formerRules = nil
        #expect(holdings.formerRules(besides: .nftables) == nil)
    }

    @Test func theOtherToolsRulesGoLast() throws {
        let spec = try PlanningNode.spec(tasks: [SpecTask(address: "10.0.0.2")])
        var ledger = PlanningNode.ledger(owning: spec)
        for place in [PlaceID.node, .loopback] { ledger[place].rules = .iptables }
        let datapath = PlanningNode.compile(spec)
        var found = PlanningNode.kernel(datapath)
        found[.node].rules = ObservedRules()
        found[.node].formerRules = ObservedRules(skeleton: .intact)
        var steps = lines(PlanningNode.plan(from: found, to: spec, ledger: ledger))
        #expect(steps.last == "rules   iptables: remove the mesh's rules")
        #expect(steps.contains("rules   nftables: install the mesh's rules"))

        found[.loopback].formerRules = ObservedRules(skeleton: .intact)
        steps = lines(PlanningNode.plan(from: found, to: spec, ledger: ledger))
        #expect(steps.last == "rules   iptables: remove the mesh's rules, in loopback")
        // They go with the namespace where that is made anew.
        found[.loopback].existence = .known(.somethingElse)
        steps = lines(PlanningNode.plan(from: found, to: spec, ledger: ledger))
        #expect(steps.last == "rules   iptables: remove the mesh's rules")
    }
}
