import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Flows.
extension PlannerTests {
    @Test func udpFlowsAreForgottenWhereTheyLeadNowhere() throws {
        let dns = PortBinding(53, .udp)
        var spec = MeshSpec()
        for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] {
            try spec.addTask(SpecTask(address: address), service: "dns")
        }
        let empty = spec
        try spec.publish(dns, target: 53, service: "dns")
        try spec.publish(Self.web, target: 80, service: "dns")
        func flows(_ plan: Plan) -> [String] { lines(plan).filter { $0.hasPrefix("flows") } }

        #expect(
            flows(PlanningNode.plan(from: PlanningNode.kernel(), to: spec, before: empty)) == [
                "flows   forget flows to 53/udp"
            ])
        let kernel = PlanningNode.kernel(PlanningNode.compile(spec))
        #expect(PlanningNode.plan(from: kernel, to: spec, before: spec).isEmpty)

        var without = spec
        try without.removeTask("10.0.0.2", service: "dns")
        #expect(
            flows(PlanningNode.plan(from: kernel, to: without, before: spec)) == [
                "flows   forget flows to 53/udp of 10.0.0.2"
            ]
        )
        without = spec
        try without.unpublish(dns)
        #expect(flows(PlanningNode.plan(from: kernel, to: without, before: spec)) == ["flows   forget flows to 53/udp"])
        // What an earlier pass may have left undone.
        var unfinished = PlanningNode.ledger(owning: spec)
        unfinished[.node].staleFlows = [dns, PortBinding(54, .udp)]
        #expect(
            flows(PlanningNode.plan(from: kernel, to: spec, ledger: unfinished)) == [
                "flows   forget flows to 53/udp", "flows   forget flows to 54/udp",
            ])
        // Whoever sent before the first task came, or after the last had gone.
        var emptied = spec
        for address in ["10.0.0.2", "10.0.0.3"] as [IPAddress] { try emptied.removeTask(address, service: "dns") }
        #expect(flows(PlanningNode.plan(from: kernel, to: emptied, before: spec)) == ["flows   forget flows to 53/udp"])
        #expect(
            flows(
                PlanningNode.plan(from: PlanningNode.kernel(PlanningNode.compile(emptied)), to: spec, before: emptied))
                == [
                    "flows   forget flows to 53/udp"
                ])
        // Somebody took the element out: what was sent meanwhile went nowhere.
        var damaged = kernel
        damaged[.node].rules.elements = damaged[.node].rules.elements.filter { $0.transport != .udp }
        #expect(flows(PlanningNode.plan(from: damaged, to: spec, before: spec)) == ["flows   forget flows to 53/udp"])
    }
}
