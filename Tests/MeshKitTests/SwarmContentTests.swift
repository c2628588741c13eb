import IPVSKit
import Testing

@testable import MeshKit
@testable import RuleKit

/// The rules and balancers of a node side by side with those of a Docker Swarm for the same two services.
///
/// Names of chains and interfaces, addresses and the values of marks are replaced by what they stand for, and a rule
/// that looks into a constant set by one rule for each element, as Swarm writes them. What then is not the same stands
/// in `differences(keepsAddress:)`, with the reason.
@Suite struct SwarmContentTests {
    @Test(arguments: [SourceIP.nat, .auto]) func eachDifferenceHasAReason(sourceIP: SourceIP) throws {
        let ours = try Self.ours(sourceIP)
        let differences = Self.differences(keepsAddress: sourceIP == .auto)
        for place in SwarmNode.texts.keys.sorted() {
            let (swarm, here) = (Self.swarm(place), ours[place]!)
            let expected = differences.filter { $0.place == place }
            #expect(
                swarm.subtracting(here).sorted() == expected.flatMap(\.swarm).sorted(),
                "what the \(place) has in a Swarm alone")
            #expect(
                here.subtracting(swarm).sorted() == expected.flatMap(\.ours).sorted(),
                "what the \(place) has here alone")
            #expect(here.intersection(swarm) == Self.same[place], "what the \(place) has in both")
        }
    }
}

// MARK: The Swarm

extension SwarmContentTests {
    private static func swarm(_ place: String) -> Set<String> {
        let marks = SwarmNode.marks[place] ?? [:]
        return Set(
            SwarmNode.texts[place]!.split(separator: "\n").map { line in
                var line = plain(String(line), SwarmNode.names)
                for (mark, service) in marks {
                    let number = "0x\(String(mark, radix: 16))/0xffffffff"
                    line = line.replacing("MARK --set-xmark \(number)", with: "MARK \(service)")
                    line = line.replacing("FWM \(mark)", with: "FWM \(service)")
                }
                return line
            })
    }

    /// A line with names, and without the words that say nothing.
    private static func plain(_ line: String, _ names: [(String, String)]) -> String {
        var line = line
        for (word, name) in names.sorted(by: { $0.0.count > $1.0.count }) { line = line.replacing(word, with: name) }
        line = line.replacing("/32", with: "").replacing("-m state --state", with: "-m conntrack --ctstate")
        for word in ["-m tcp ", "-m udp "] { line = line.replacing(word, with: "") }
        // A translation that says the port it came to.
        return line.replacing(/--dport (\d+) -j DNAT --to-destination (\S+):(\d+)$/) { match in
            match.1 == match.3 ? "--dport \(match.1) -j DNAT --to-destination \(match.2)" : String(match.0)
        }
    }
}

// MARK: Ours

extension SwarmContentTests {
    private static func ours(_ sourceIP: SourceIP) throws -> [String: Set<String>] {
        var spec = MeshSpec()
        try spec.addNode("node1", gatewaySubnets: ["172.18.0.0/16"])
        try spec.createNetwork("ingress", subnets: ["10.0.0.0/24"])
        try spec.createNetwork("net1", subnets: ["100.0.0.0/24"])
        for (inode, (service, number)) in [("nginx", 1), ("nginx", 2), ("redis", 1)].enumerated() {
            try spec.attach(
                TaskAttachmentRequest(
                    namespace: "/run/netns/\(service)\(number)", inode: UInt64(inode), node: "node1",
                    networks: ["net1"]), service: service)
        }
        let ports: [(PortBinding, UInt16)] = [
            (PortBinding(1080, .tcp), 80), (PortBinding(1443, .tcp), 443), (PortBinding(5353, .udp), 53),
        ]
        for (port, target) in ports {
            try spec.publish(port, target: target, service: "nginx", options: .init(sourceIP: sourceIP))
        }
        var facts = NodeFacts()
        facts.families = [.ipv4]
        let datapath = PlanningNode.compile(spec, on: facts)

        var names = [
            ("mesh_gwbridge", "GATEWAY"), ("172.18.0.0/16", "GATEWAYS"), ("MESH-INGRESS", "INGRESS"),
            ("169.254.113.6", "SANDBOX"), ("10.0.0.0/24", "INGRESS-NET"), ("100.0.0.0/24", "NET1"),
        ]
        var marks: [FirewallMark: String] = [:]
        for network in spec.networks.values { names += network.balancers["node1"]!.map { ("\($0)", "OWN") } }
        for (name, service) in spec.services {
            for port in service.ports { marks[port.mark] = name }
            for virtual in service.virtualAddresses.values {
                marks[virtual.mark] = name
                names += virtual.addresses.map { ("\($0)", "VIP-\(name.uppercased())") }
            }
            for (index, task) in service.tasks.enumerated() {
                for address in task.attachment!.addresses.values.joined() {
                    names.append(("\(address)", "\(name.uppercased())-\(index + 1)"))
                }
                for address in task.attachment!.gatewayAddresses { names.append(("\(address)", "LEG")) }
            }
        }
        let places: [String: PlaceID] = [
            "node": .node, "sandbox": .sandbox, "balancer of net1": .balancer("net1"),
            "task of nginx": .task("/run/netns/nginx1"), "task of redis": .task("/run/netns/redis1"),
        ]
        return places.mapValues { place in
            // The chains of a balancer have the names of those that lead to them.
            let isTask = place.taskNamespace != nil
            let chains = isTask ? [] : ["FORWARD", "INPUT"].map { ("MESH-\($0)", $0) }
            let others =
                isTask
                ? []
                : [
                    ("MESH-SNAT", "POSTROUTING"), ("MESH-IN", "PREROUTING"), ("MESH-MARK", "PREROUTING"),
                ]
            return Set(lines(datapath[place], marks).map { plain($0, names + chains + others) })
                .filter { $0.firstMatch(of: /-A (\S+) -j (\S+)$/).map { $0.1 != $0.2 } ?? true }
        }
    }

    private static func lines(_ content: PlaceContent, _ marks: [FirewallMark: String]) -> [String] {
        let rendered = IPTablesBackend.render(content.rules, families: [.ipv4])
        var lines: [String] = []
        if let role = rendered.role {
            for chain in Skeleton(role: role, family: .ipv4).chains {
                lines += (chain.jumpLines() + chain.ruleLines()).map { "\(chain.table) \($0)" }
            }
        }
        lines = lines.flatMap { expanded($0, rendered.elements, marks) }
        for entry in content.ipvs.entries.values {
            guard case .firewallMark(let mark, _) = entry.service.id else { continue }
            lines.append("ipvs FWM \(marks[mark]!) \(entry.service.scheduler)")
            lines += entry.destinations.values.map { "ipvs FWM \(marks[mark]!) -> \($0.id) Masq \($0.weight)" }
        }
        return lines
    }

    /// One line for each element of the set into which a rule looks; none if the set is empty.
    private static func expanded(
        _ line: String, _ elements: Set<SetElement>, _ marks: [FirewallMark: String]
    ) -> [String] {
        guard let found = line.firstMatch(of: /(-m set --match-set|-j SET --map-set) (\S+) (\S+)( --map-mark)?/) else {
            return [line]
        }
        return elements.filter { $0.set == found.2 }.map { element in
            var words: [String] = []
            if let mark = element.mark { words.append("-m mark --mark \(marks[mark]!)") }
            if let address = element.address { words.append("\(found.3.hasPrefix("src") ? "-s" : "-d") \(address)") }
            if let transport = element.transport { words.append("-p \(transport)") }
            if let ports = element.ports {
                words.append("\(found.3.hasSuffix("src") ? "--sport" : "--dport") \(PortBinding.text(of: ports))")
            }
            if let prefix = element.prefix { words.append("\(found.3.hasSuffix("src") ? "-s" : "-d") \(prefix)") }
            if case .mark(let mark)? = element.value { words.append("-j MARK \(marks[mark]!)") }
            return line.replacing(found.0, with: words.joined(separator: " "))
        }
    }
}
