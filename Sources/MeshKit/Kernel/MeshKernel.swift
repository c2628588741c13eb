import Conntrack
package import IPVSKit
package import RuleKit

/// What a pass needs of the kernel of a node. The real one is ``LiveKernel``; tests have one in memory.
package protocol MeshKernel: Sendable {
    /// Which network namespace of which boot the node is.
    func identity() throws -> NamespaceIdentity
    /// Where a namespace can still be found, in words; nil where it cannot.
    func whereabouts(of namespace: NamespaceIdentity) async -> String?
    /// The time since boot (`CLOCK_BOOTTIME`).
    func now() -> BootTime
    /// What else a node is.
    ///
    /// - Parameter readsInterfaces: also reads which interfaces may hear a router, which takes a look at each of them.
    func nodeFacts(readsInterfaces: Bool) async throws -> NodeFacts
    /// For each address the network of the route to it; none where that is the default route, or there is none.
    func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork]
    /// Who else on the node may need that a family is forwarded, in words: bridges, and rules that translate or forward.
    /// Empty where nobody could look.
    func routers(_ family: AddressFamily) async -> Set<String>
    /// What carries the rules best.
    func bestTool() async -> RuleTool

    /// What a place's name stands for.
    func existence(of place: Place) async -> Reading<ObservedPlace.Existence>
    /// Makes the namespace of a place, and gives it its name.
    func make(_ place: Place) async throws
    /// Takes the name of a place away, of whatever it is, and what is in its namespace with it.
    func remove(_ place: Place) async throws
    /// Enters a place, which exists.
    func open(_ place: Place) async throws -> any PlaceKernel

    /// What there is of ends of our links in a place.
    ///
    /// - Parameter others: the places in which their other ends may be.
    func links(_ ends: [LinkEnd], in place: Place, others: [Place]) async throws -> [String: Reading<ObservedLink>]
    /// Makes a link, both ends in their places, in one message.
    func make(_ link: Link, in places: [PlaceID: Place]) async throws
    /// Sets whether a bridge port turns packets back.
    func setHairpin(_ isOn: Bool, of port: String) async throws
    /// Deletes UDP flows of published ports.
    func forget(_ flows: [StaleFlows]) async throws
}

/// What a pass needs of the kernel in one place.
package protocol PlaceKernel: Sendable {
    /// The IPVS table.
    var ipvs: IPVS { get throws }
    /// What carries the rules.
    func rules(by tool: RuleTool) -> any RuleBackend
    func read(_ sysctls: Set<Sysctl>) async -> [Sysctl: Reading<String>]
    func write(_ value: String, to sysctl: Sysctl) async throws(SysctlError)
    /// The names of the interfaces that have settings.
    func interfaces(with family: AddressFamily) async -> Reading<Set<String>>
    /// Who else uses addresses that an end claims, in words; nil where nobody does.
    func claimant(of end: LinkEnd) async throws -> String?
    /// Does one thing to an interface.
    func change(_ change: LinkOperation, of interface: String) async throws
    /// How many connections of destinations may still move data.
    func connections(to destinations: Set<RetiringDestination>) async throws -> [RetiringDestination: Int]
}

/// One thing that is done to an interface: one message.
package enum LinkOperation: Hashable, Sendable {
    case setAlias(String)
    case setHardwareAddress(HardwareAddress)
    case addAddress(InterfacePrefix)
    case removeAddress(InterfacePrefix)
    case raise
    case addRoute(Route)
    case putNeighbour(IPAddress, HardwareAddress)
    case delete
}
