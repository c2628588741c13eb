import Conntrack
package import IPVSKit
package import RuleKit

/// Everything that a pass needs of a node's kernel. ``LiveKernel`` is the real kernel; tests have a fake in memory.
package protocol MeshKernel: Sendable {
    /// The namespace of a place as one that probes of tasks come from.
    ///
    /// - Throws: an error if there is no such namespace.
    func probeSite(in place: Place) async throws -> ProbeSite
    /// Identifies the node's network namespace and the boot.
    func identity() throws -> NamespaceIdentity
    /// The place where a namespace can still be found, in words; nil if there is none.
    ///
    /// - Throws: an error if there may be such a place and it cannot be looked at.
    func whereabouts(of namespace: NamespaceIdentity) async throws -> String?
    /// The time since boot (`CLOCK_BOOTTIME`).
    func now() -> BootTime
    /// The properties of the node that decide what its kernel should hold.
    ///
    /// - Parameter readsInterfaces: also reads which interfaces may hear a router, which takes a look at all of them.
    func nodeFacts(readsInterfaces: Bool) async throws -> NodeFacts
    /// The network of the route to each address. Addresses that are reached by the default route, or by none, are left
    /// out.
    func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork]
    /// Who else on the node may need that a family is forwarded.
    func routers(_ family: AddressFamily) async -> Routers
    /// The networks that the node has apart from the mesh.
    func hostNetworks() async throws -> HostNetworks
    /// The facts of a task's namespace.
    ///
    /// - Parameter path: the file that refers to the namespace.
    /// - Throws: ``InputError`` if there is no such file, or if it refers to no network namespace.
    func taskFacts(at path: String) async throws -> TaskFacts
    /// The least MTU of the interfaces by which the addresses are reached; nil if none is reached.
    func mtu(to addresses: Set<IPAddress>) async throws -> UInt32?
    /// Whether iptables has a table that filters the node's forwarded packets, which may drop those of the mesh.
    func filtersForwards() async -> Reading<Bool>
    /// Whether the kernel has conntrack zones, by which a task can tell connections of different nodes apart; nil if the
    /// kernel does not say.
    func hasZones() async -> Bool?
    /// The rule tool that suits the kernel best.
    func bestTool() async -> RuleTool
    /// What the mesh has left in all network namespaces, for a node whose documents were lost. Other programs' are
    /// entered, too.
    func traces() async throws -> Traces

    /// Listens to changes in the places that passes meet, once it is told to.
    var listener: KernelListener { get }
    /// Closes what was opened in places, for a process that goes on after a pass, unless it learns when a place is gone:
    /// whatever is open keeps a namespace alive that its owner has ended.
    func release()
    /// Saves what was found of the rules, so that later processes need not read them again.
    func keepNotes()

    /// Waits, for some seconds at most, until the agent of a state folder has released ports that are no longer published. If
    /// no agent runs, returns at once.
    func waitForRelease(of ports: Set<HeldPort>, byAgentOf folder: String) async

    /// Enters a place, if it exists, for ``open(_:)``; leaves one that is gone.
    ///
    /// - Returns: what the place's name stands for.
    func enter(_ place: Place) async -> Reading<ObservedPlace.Existence>
    /// Makes the namespace of a place, and gives it its name.
    func make(_ place: Place) async throws
    /// Removes the name of a place, whatever it stands for, and with it the namespace and its contents.
    func remove(_ place: Place) async throws
    /// Gives access to a place that exists.
    func open(_ place: Place) async throws -> any PlaceKernel

    /// The interfaces in a place that have the names of the given link ends.
    ///
    /// - Parameter others: the places that may contain the other ends.
    func links(_ ends: [LinkEnd], in place: Place, others: [Place]) async throws -> [String: Reading<ObservedLink>]
    /// Makes a link with all ends in their places, in one message.
    func make(_ link: Link, in places: [PlaceID: Place]) async throws
    /// Switches hairpin mode of a bridge port on or off.
    func setHairpin(_ isOn: Bool, of port: String) async throws
}

/// Everything that a pass needs of the kernel in one place.
package protocol PlaceKernel: Sendable {
    /// The IPVS table.
    var ipvs: IPVS { get throws }
    /// The backend that reads and writes the rules.
    func rules(by tool: RuleTool) -> any RuleBackend
    func read(_ sysctls: Set<Sysctl>) async -> [Sysctl: Reading<String>]
    /// The source addresses of packets that leave by default routes which are not the mesh's, one of each family, IPv4
    /// first.
    func defaultAddresses() async throws -> [IPAddress]
    /// The routing rules of the mesh.
    func routingRules() async throws -> Set<RoutingRule>
    /// Deletes UDP flows of published ports.
    func forget(_ flows: [StaleFlows]) async throws
    /// Adds a routing rule, or removes it.
    func set(_ rule: RoutingRule, _ isWanted: Bool) async throws
    func write(_ value: String, to sysctl: Sysctl) async throws(SysctlError)
    /// The names of the interfaces that have settings of a family.
    func interfaces(with family: AddressFamily) async -> Reading<Set<String>>
    /// The interfaces that somebody else made: not the mesh, and not the kernel with the namespace.
    func strangers() async throws -> Set<String>
    /// Who else uses an address that an end claims, in words; nil if nobody does.
    func claimant(of end: LinkEnd) async throws -> String?
    /// Carries out one operation on an interface.
    func change(_ change: LinkOperation, of interface: String) async throws
    /// The number of connections to each destination that may still transfer data.
    ///
    /// - Parameter destinations: the destinations with the protocol of their connections.
    func connections(to destinations: [RetiringDestination: TransportProtocol]) async throws -> [RetiringDestination:
        Int]
    /// The number of connections to the namespace's own programs that may still transfer data.
    ///
    /// - Parameter servers: the addresses and ports to which the connections came, port 0 for all, with the protocol.
    func connections(at servers: [Destination.ID: TransportProtocol]) async throws -> [Destination.ID: Int]
}

/// One operation on an interface, which takes one message to the kernel.
package enum LinkOperation: Hashable, Sendable {
    case setAlias(String)
    case setHardwareAddress(HardwareAddress)
    case setMTU(UInt32)
    case joinBridge(String)
    case isolate(Bool)
    case addAddress(InterfacePrefix)
    case removeAddress(InterfacePrefix)
    /// Gives the interface its IPv6 link-local address, unless the kernel has done so meanwhile.
    case restoreLinkLocal(IPAddress)
    case raise
    case addRoute(Route)
    case removeRoute(Route)
    case putNeighbour(IPAddress, HardwareAddress)
    case removeNeighbour(IPAddress)
    case putForwarding(HardwareAddress, IPAddress)
    case removeForwarding(HardwareAddress)
    case delete
}
