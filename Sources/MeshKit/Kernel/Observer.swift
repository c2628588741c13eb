import IPVSKit
import RuleKit

/// Reads what the kernel holds.
struct Observer: Sendable {
    let kernel: Kernel

    /// - Parameters:
    ///   - state: says which tool's rules and which detour are ours.
    ///   - tool: what carries the rules.
    ///   - withCounters: also reads what IPVS counts, which takes several times as long.
    func observe(
        _ state: MeshState, tool: RuleTool, withCounters: Bool = false
    ) async throws -> ObservedDatapath {
        var found = ObservedDatapath()
        // IPVS first: its settings exist once its module is loaded, and reading the table loads it.
        if withCounters {
            found.services = try await kernel.ipvs.status()
            found.table = Table(found.services)
        } else {
            found.table = try await kernel.ipvs.table()
        }
        found.timeouts = try await kernel.ipvs.timeouts()
        for sysctl in Sysctl.all { found.sysctls[sysctl] = kernel.sysctls.read(sysctl) }
        found.node = try await nodeFacts()

        let role = RuleRole.balancer(detour: state.hasLoopback ? LoopbackDetour.detour : nil)
        found.rules = try await kernel.backend(RulePlace(namespace: .balancer, tool: tool)).read(expecting: role)
        let former = state.formerRules(besides: tool)
        if let former {
            found.formerRules = try await kernel.backend(RulePlace(namespace: .balancer, tool: former))
                .read(expecting: role)
        }
        found.detour = try await detour(state)
        if found.detour == .intact {
            let role = RuleRole.turnaround(node: LoopbackDetour.nodeAddress)
            found.detourRules = try await kernel.backend(RulePlace(namespace: .detour, tool: tool))
                .read(expecting: role)
            if let former {
                found.formerDetourRules = try await kernel.backend(RulePlace(namespace: .detour, tool: former))
                    .read(expecting: role)
            }
        }
        return found
    }

    private func detour(_ state: MeshState) async throws -> ObservedDetour {
        do {
            return try await kernel.detour.observe()
        } catch let error as DetourError where error.code == .notPermitted {
            return .hidden
        } catch is DetourError where !state.hasLoopback {
            return .absent
        }
    }

    private func nodeFacts() async throws -> NodeFacts {
        var facts = NodeFacts()
        facts.addresses = NodeAddresses.read()
        let ports = kernel.sysctls.read(.localPorts)?.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        if let ports, ports.count == 2, ports[0] <= ports[1] { facts.localPorts = ports[0]...ports[1] }
        if let version = kernel.sysctls.read(.kernelRelease).flatMap({ KernelVersion(release: $0) }) {
            facts.kernel = version
        }
        facts.interfacesWithRouterAdvertisements = kernel.sysctls.interfacesWithRouterAdvertisements()
        facts.bridgePorts = try await kernel.bridges.ports(among: Set(facts.addresses.map(\.interface)))
        facts.filtersBridges = [.bridgesThroughIPTables, .bridgesThroughIP6Tables].contains {
            kernel.sysctls.read($0) == "1"
        }
        return facts
    }
}
