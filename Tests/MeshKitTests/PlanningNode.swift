import IPVSKit
import RuleKit

@testable import MeshKit

/// A node of which nothing but values is there: what is asked for, what is its own, and what its kernel would hold.
enum PlanningNode {
    static let home = NamespaceIdentity(bootID: "b007", inode: 4711, cookie: 1)

    static func spec(tasks: [SpecTask] = [], scheduler: Scheduler = .roundRobin) throws -> MeshSpec {
        var spec = MeshSpec()
        for task in tasks { try spec.addTask(task, service: "nginx") }
        try spec.publish(web, target: 80, service: "nginx", options: .init(scheduler: scheduler))
        return spec
    }

    static let web = PortBinding(1080, .tcp)

    /// A ledger that owns what was put up for a spec.
    static func ledger(owning spec: MeshSpec = MeshSpec()) -> Ledger {
        var ledger = Ledger(node: "node1", id: "0123456789abcdef", home: home)
        for service in spec.services.values {
            for port in service.ports {
                let target = port.listening.isRange ? 0 : port.target
                let destinations = service.tasks.filter(port.isFor).map { Destination.ID($0.address, port: target) }
                ledger[.node].marks[port.mark] = OwnedMark(
                    binding: port.listening, destinations: Set(destinations))
            }
        }
        return ledger
    }

    static func compile(_ spec: MeshSpec, on node: NodeFacts = NodeFacts(), ledger: Ledger = ledger()) -> Datapath {
        Compiler().compile(MeshRequest(spec: spec, ledger: ledger), on: node)
    }

    /// - Parameters:
    ///   - before: the spec whose objects the ledger owns; nil if the ledger owns those of the new spec.
    ///   - ledger: the ledger; nil for one that owns exactly the objects of that spec.
    static func plan(
        from found: ObservedDatapath, to spec: MeshSpec, before: MeshSpec? = nil, ledger: Ledger? = nil,
        tool: RuleTool = .nftables
    ) -> Plan {
        let request = MeshRequest(spec: spec, ledger: ledger ?? Self.ledger(owning: before ?? spec))
        let compiler = Compiler()
        return Planner.plan(
            from: found, to: compiler.compile(request, on: found.node), outline: compiler.outline(request),
            ledger: request.ledger, tool: tool)
    }

    /// A kernel that holds just what a datapath says.
    static func kernel(_ datapath: Datapath = Datapath(), tool: RuleTool = .nftables) -> ObservedDatapath {
        var found = ObservedDatapath()
        for id in [PlaceID.node, .loopback] {
            guard datapath.places[id] != nil else { continue }
            let content = datapath[id]
            found[id].existence = .known(.namespace)
            found[id].table = content.ipvs
            let rendered = tool.render(content.rules, families: [.ipv4, .ipv6])
            if rendered.role != nil {
                found[id].rules = ObservedRules(skeleton: .intact, elements: rendered.elements)
            }
            for (sysctl, value) in content.sysctls { found[id].sysctls[sysctl] = .known(value) }
            found[id].timeouts = Timeouts(tcpSeconds: content.tcpTimeoutSeconds ?? 900)
        }
        for sysctl in Sysctl.ofBalancers where found[.node].sysctls[sysctl] == nil {
            found[.node].sysctls[sysctl] = .known("0")
        }
        found[.node].sysctls[.reservedPorts] = .known("")
        found.node.settings = found[.node].sysctls.compactMapValues(\.value)
        for link in datapath.links {
            for (index, end) in link.ends.enumerated() {
                found[end.id.place].links[end.id.name] = .known(observed(end, of: link, index: Int32(index)))
                for (sysctl, value) in end.settings { found[end.id.place].sysctls[sysctl] = .known(value) }
            }
        }
        return found
    }

    private static func observed(_ end: LinkEnd, of link: Link, index: Int32) -> ObservedLink {
        var there = ObservedLink(index: index)
        there.kind = link.kind.description
        there.alias = link.alias
        there.isInOurGroup = true
        there.hardwareAddress = end.hardwareAddress
        there.isUp = true
        there.peer = .place(link.peer(of: end)!.id.place, index: 1 - index)
        there.addresses = end.addresses
        there.routes = end.routes.union(end.connectedRoutes)
        there.neighbours = end.neighbours
        there.reached = end.reaches
        return there
    }

    static func lines(_ plan: Plan) -> [String] { plan.steps.map(\.description) }
}
