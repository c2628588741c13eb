package import IPVSKit
import IPVSKitTesting
package import MeshKit
import RuleKit

/// A node on the fake kernel, with its stores: what a process finds that begins.
package struct FakeNode: Sendable {
    package let gate: Gate
    package let kernel: FakeKernel
    package let specs: FakeSpecStore
    package let ledgers: FakeLedgerStore

    package init() {
        gate = Gate()
        kernel = FakeKernel(gate: gate)
        specs = FakeSpecStore(gate: gate)
        ledgers = FakeLedgerStore(gate: gate)
    }

    /// The mesh as a process has it: each has its own.
    ///
    /// - Parameters:
    ///   - tool: what `--rules` says.
    ///   - name: what `--node` says.
    package func mesh(tool: RuleTool? = nil, compiler: Compiler = Compiler(), named name: String? = nil) -> Mesh {
        Mesh(store: specs, ledger: ledgers, kernel: kernel, compiler: compiler, tool: tool, nodeName: name)
    }

    /// The marks of the services that the kernel of the node has.
    package func marksInKernel() async throws -> Set<FirewallMark> {
        let node = kernel.withState { $0.namespaces["node"]! }
        return Set(try await node.ipvs.client.table().entries.keys.compactMap(\.firewallMark))
    }

    /// The weights of the destinations that the kernel of the node has, in the order of their addresses.
    package func weightsInKernel() async throws -> [UInt32] {
        let node = kernel.withState { $0.namespaces["node"]! }
        return try await node.ipvs.client.table().entries.values.flatMap(\.destinations.values)
            .sorted { $0.id.address < $1.id.address }.map(\.weight)
    }

    /// All that the kernel holds, in words, sorted: what two moments are compared by.
    package func kernelText() async throws -> [String] {
        let (namespaces, facts) = kernel.withState { ($0.namespaces, $0.facts) }
        var lines: [String] = []
        for (name, namespace) in namespaces {
            for (interface, there) in namespace.interfaces {
                lines.append(
                    "\(name) link \(interface) \(there.kind ?? "-") \(there.alias ?? "-") \(there.isUp) "
                        + "\(there.addresses.sorted()) \(there.routes.sorted()) \(there.peer?.name ?? "-") "
                        + "\(there.hardwareAddress) mtu \(there.mtu) port of \(there.bridge ?? "-") "
                        + "\(there.isIsolated ? "isolated" : "open")")
                lines += there.neighbours.map { "\(name) neighbour \(interface) \($0) \($1)" }
                lines += there.forwarding.map { "\(name) forwarding \(interface) \($0) \($1)" }
                if let vxlan = there.vxlan { lines.append("\(name) vxlan \(interface) \(vxlan)") }
            }
            lines += namespace.routingRules.map { "\(name) routing rule \($0)" }
            for (sysctl, value) in namespace.sysctls { lines.append("\(name) sysctl \(sysctl) = \(value)") }
            for (tool, content) in namespace.rules {
                lines += content.parts.map { "\(name) \(tool) has \($0) for \(content.role!)" }
                lines += content.elements.map { "\(name) \(tool) \($0)" }
            }
            lines += namespace.ipvs.description.split(separator: "\n").map { "\(name) ipvs \($0)" }
            lines.append("\(name) ipvs timeouts \(try await namespace.ipvs.client.timeouts())")
        }
        lines.append("bridge ports \(facts.bridgePorts)")
        return lines.sorted()
    }
}

extension MeshSpec {
    /// Where clients should get to, by what was asked for alone.
    ///
    /// - Parameters:
    ///   - node: the name of the node.
    ///   - own: its addresses.
    ///   - isJoined: whether an attached task can be reached from the node.
    package func arrivals(
        at port: UInt16, _ transport: TransportProtocol, of address: IPAddress, from client: IPAddress, on node: String,
        own: Set<IPAddress>, isJoined: (SpecTask) -> Bool = { _ in true }
    ) -> Set<PacketModel.Arrival> {
        for service in services.values {
            for published in service.ports
            where published.listening.transport == transport && published.listening.ports.contains(port)
                && (published.listening.address ?? address) == address
            {
                guard published.allowed.isEmpty || published.allowed.contains(where: { $0.contains(client) }) else {
                    return []
                }
                let target = published.target + (port - published.listening.ports.lowerBound)
                let attached = service.tasks.filter { $0.attachment != nil && $0.share > 0 && isJoined($0) }
                let reached = attached.flatMap { $0.attachment!.addresses[MeshNetwork.ingress] ?? [] }
                    .filter { $0.family == address.family }
                    .map { PacketModel.Arrival($0, target, isMasqueraded: published.sourceIP == .nat) }
                return Set(reached).union(
                    service.tasks.filter {
                        $0.attachment == nil && $0.address.family == address.family && $0.share > 0
                    }.map { task in
                        let isBehindUs = services.values.contains { other in
                            other.tasks.contains { $0.address == task.address && $0.node == node }
                        }
                        let isMasqueraded: Bool =
                            switch published.sourceIP {
                            case .keep: false
                            case .nat: !own.contains(task.address)
                            case .auto: !isBehindUs && !own.contains(task.address)
                            }
                        return PacketModel.Arrival(task.address, target, isMasqueraded: isMasqueraded)
                    })
            }
        }
        return []
    }
}
