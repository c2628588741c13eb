import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// One network namespace of the kernel that runs the process.
struct LivePlace: PlaceKernel {
    /// The group of all interfaces of the mesh, which identifies them from the first moment: an alias can only be given
    /// to an interface that exists already. The number has the bytes of "mesh".
    static let group: UInt32 = 0x6D65_7368
    /// The protocol number of all routes of the mesh (`RTA_PROTOCOL`). `/etc/iproute2/rt_protos` gives it no name.
    static let origin: UInt8 = 109

    let handle: NamespaceHandle
    /// Whether this is the namespace of the process, which need not be entered.
    let isProcess: Bool
    let routes: RouteClient
    let filteredRoutes: RouteClient
    /// Nil until somebody asks for it.
    private let client: Locked<IPVS?>
    private let generation: RulesetGeneration
    private let backends: [RuleTool: any RuleBackend]

    /// - Parameters:
    ///   - ipvs: a client of the namespace; nil to make one when it is needed.
    ///   - cache: a folder in which the tools cache their findings about themselves.
    ///   - notes: what was found of the rules before.
    init(handle: NamespaceHandle, isProcess: Bool, ipvs: IPVS?, cache: FilePath, notes: RuleNotes) {
        self.handle = handle
        self.isProcess = isProcess
        routes = RouteClient(in: handle)
        filteredRoutes = RouteClient(in: handle, filtersInKernel: true)
        client = Locked(ipvs)
        let generation = RulesetGeneration(in: handle, notes: notes)
        self.generation = generation
        let namespace: NetworkNamespace = isProcess ? .current : .descriptor(handle.descriptor)
        backends = Dictionary(
            uniqueKeysWithValues: RuleTool.allCases.map {
                ($0, $0.backend(in: namespace, cache: cache, generation: generation))
            })
    }

    /// Releases the namespace and the sockets at once.
    func close() {
        routes.close()
        filteredRoutes.close()
    }

    /// Closes the sockets and ends their threads until somebody asks again.
    func rest() {
        routes.rest()
        filteredRoutes.rest()
        generation.rest()
        client.withLock { $0 = nil }
    }

    var ipvs: IPVS {
        get throws {
            try client.withLock { client in
                if let client { return client }
                let new = try IPVS(in: .descriptor(handle.descriptor))
                client = new
                return new
            }
        }
    }

    func rules(by tool: RuleTool) -> any RuleBackend { backends[tool]! }

    func read(_ sysctls: Set<Sysctl>) async -> [Sysctl: Reading<String>] {
        let read: @Sendable () -> [Sysctl: Reading<String>] = {
            let files = SysctlFiles()
            return Dictionary(uniqueKeysWithValues: sysctls.map { ($0, files.reading($0)) })
        }
        if isProcess || sysctls.isEmpty { return read() }
        do {
            return try await DetachedThread.run(in: handle, read)
        } catch {
            return Dictionary(uniqueKeysWithValues: sysctls.map { ($0, .unreadable("\(error)")) })
        }
    }

    func write(_ value: String, to sysctl: Sysctl) async throws(SysctlError) {
        let write: @Sendable () throws(Errno) -> Void = { () throws(Errno) in
            try SysctlFiles().write(value, to: sysctl)
        }
        do {
            if isProcess { try write() } else { try await DetachedThread.run(in: handle, write) }
        } catch {
            throw SysctlError(sysctl: sysctl, value: value, errno: error as? Errno ?? .ioError)
        }
    }

    func interfaces(with family: AddressFamily) async -> Reading<Set<String>> {
        let list: @Sendable () throws(Errno) -> Set<String> = { () throws(Errno) in
            try SysctlFiles().interfaces(family)
        }
        do {
            return .known(try await isProcess ? list() : DetachedThread.run(in: handle, list))
        } catch {
            return error as? Errno == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)")
        }
    }

    /// The interfaces that neither the mesh nor the kernel made.
    func strangers() async throws -> Set<String> {
        // The kernel makes a loopback interface and, with their modules, fallback tunnels in each namespace.
        let made: Set = [
            "sit", "ipip", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan", "vti", "vti6",
        ]
        return try await routes.asking("look at the interfaces") { () throws(NetlinkError) in
            Set(
                try await routes.links()
                    .filter { link in
                        link.name != "lo" && !(link.kind.map(made.contains) ?? false) && !link.isOfMesh
                    }
                    .map(\.name))
        }
    }

    /// The interfaces that may hear a router. Veth interfaces lead to containers, and a bridge and its ports are left
    /// alone.
    func outwardInterfaces() async throws -> Set<String> {
        try await routes.asking("look at the interfaces") { () throws(NetlinkError) in
            Set(
                try await routes.links()
                    .filter { $0.kind != "bridge" && $0.kind != "veth" && $0.masterKind != "bridge" && $0.name != "lo" }
                    .map(\.name))
        }
    }

    func connections(
        to destinations: [RetiringDestination: TransportProtocol]
    ) async throws -> [RetiringDestination: Int] {
        let services = Dictionary(grouping: destinations, by: \.key.service).mapValues { destinations in
            // All connections of a mark have the protocol of its port.
            (destinations: Set(destinations.map(\.key.destination)), transport: destinations.first?.value)
        }
        let counts = try await ipvs.connectionsLeft(of: services)
        return Dictionary(
            // Somebody else may have deleted a destination, and its connections with it.
            uniqueKeysWithValues: destinations.keys.map { ($0, counts[$0.service]?[$0.destination] ?? 0) })
    }

}
