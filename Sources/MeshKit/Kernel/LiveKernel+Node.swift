import Conntrack
package import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// What is asked of the node itself.
extension LiveKernel {
    package func mtu(to addresses: Set<IPAddress>) async throws -> UInt32? { try await nodeKernel.mtu(to: addresses) }

    package func filtersForwards() async -> Reading<Bool> {
        do throws(PlaceError) {
            for family in AddressFamily.allCases {
                let names = try PlaceError.attempt("list the tables of legacy iptables") { () throws(Errno) in
                    try LegacyTables.names(family)
                }
                if names.contains("filter") { return .known(true) }
            }
            let names: [String]
            do throws(NetlinkError) {
                names = try await tables.names()
            } catch {
                throw PlaceError("list the tables of nftables", error)
            }
            return .known(names.contains { $0 == "ip filter" || $0 == "ip6 filter" })
        } catch {
            return .unreadable(error.description)
        }
    }

    package func hasZones() async -> Bool? {
        if zones.withLock(\.self) { return true }
        guard let found = try? await Conntrack().hasZones() else { return nil }
        zones.withLock { $0 = found }
        return found
    }

    package func bestTool() async -> RuleTool { await .best() }

    package func nodeFacts(readsInterfaces: Bool) async throws -> NodeFacts {
        var facts = NodeFacts()
        facts.addresses = try NodeAddresses.read()
        let sysctls = await nodeKernel.read([
            .localPorts, .kernelRelease, .bridgesThroughIPTables, .bridgesThroughIP6Tables,
        ])
        let ports = sysctls[.localPorts]?.value?.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        if let ports, ports.count == 2, ports[0] <= ports[1] { facts.localPorts = ports[0]...ports[1] }
        if let version = sysctls[.kernelRelease]?.value.flatMap({ KernelVersion(release: $0) }) {
            facts.kernel = version
        }
        facts.hasBridgeFilter = sysctls[.bridgesThroughIPTables]?.value != nil
        facts.filtersBridges = [.bridgesThroughIPTables, .bridgesThroughIP6Tables].contains {
            sysctls[$0]?.value == "1"
        }
        if access("/proc/net/if_inet6", F_OK) != 0 { facts.families = [.ipv4] }
        do {
            facts.bridgePorts = .known(try await bridges.ports(among: Set(facts.addresses.map(\.interface))))
        } catch {
            facts.bridgePorts = .unreadable("\(error)")
        }
        if readsInterfaces { facts.outwardInterfaces = try await nodeKernel.outwardInterfaces() }
        return facts
    }

    package func routers(_ family: AddressFamily) async -> Routers {
        var routers = Routers()
        if let links = try? await nodeKernel.routes.links() {
            let bridges = links.filter { $0.kind == "bridge" && $0.group != LivePlace.group }
            routers.found.formUnion(bridges.map { "the bridge \($0.name)" })
        } else {
            routers.unreadable.insert("an interface that could not be read")
        }
        let rules = await HostRules.read()
        routers.found.formUnion(rules.routing(family))
        if !rules.areKnown(for: family) { routers.unreadable.insert("a rule that could not be read") }
        return routers
    }

    package func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        try await nodeKernel.routedNetworks(of: addresses)
    }

    package func waitForRelease(of ports: Set<HeldPort>, byAgentOf folder: String) async {
        guard !ports.isEmpty, await AgentLock.isHeld(in: FilePath(folder)) else { return }
        // A port on which a program listens is not held by the agent. If nobody can tell, it is waited for.
        let ports = ports.filter { port in
            (try? Listeners.read(transport: port.transport, ports: port.number...port.number))?.isEmpty != false
        }
        let end = ContinuousClock.now + .seconds(5)
        while ports.contains(where: PortHolder.isTaken), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
