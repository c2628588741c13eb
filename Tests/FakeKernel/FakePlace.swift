import IPVSKit
import IPVSKitTesting
import MeshKit
import RuleKit
import SystemPackage

/// One namespace of the fake kernel.
struct FakePlace: PlaceKernel {
    let kernel: FakeKernel
    let name: String

    private func with<Value>(_ body: (inout FakeNamespace) -> Value) -> Value {
        kernel.withState { state in
            var namespace = state.namespaces[name] ?? FakeNamespace()
            defer { if state.namespaces[name] != nil { state.namespaces[name] = namespace } }
            return body(&namespace)
        }
    }

    var ipvs: IPVS {
        get throws {
            let gate = kernel.gate
            return with(\.ipvs).client { request in
                guard request.changes else { return gate.isDead ? .ioError : nil }
                do { return try gate.refusal(of: "IPVS: command \(request.command.rawValue)") } catch {
                    return .ioError
                }
            }
        }
    }

    func rules(by tool: RuleTool) -> any RuleBackend {
        let kernel = kernel
        let name = name
        return FakeRules(
            tool: tool, families: AddressFamily.allCases, gate: kernel.gate,
            read: { kernel.withState { $0.namespaces[name]?.rules[tool] ?? .init() } },
            edit: { body in
                kernel.withState { state in
                    guard state.namespaces[name] != nil else { return }
                    var content = state.namespaces[name]!.rules[tool] ?? .init()
                    body(&content)
                    state.namespaces[name]!.rules[tool] = content == .init() ? nil : content
                }
            })
    }

    func read(_ sysctls: Set<Sysctl>) async -> [Sysctl: Reading<String>] {
        let isDead = kernel.gate.isDead
        return with { namespace in
            Dictionary(
                uniqueKeysWithValues: sysctls.map {
                    ($0, isDead ? .unreadable("dead") : namespace.sysctls[$0].map { .known($0) } ?? .absent)
                })
        }
    }

    func defaultAddresses() async throws -> [IPAddress] {
        try kernel.gate.look()
        guard let facts = kernel.withState({ $0.tasks[name] }) else { throw PlaceError("look up", .noSuchProcess) }
        return facts.defaultAddresses
    }

    func write(_ value: String, to sysctl: Sysctl) async throws(SysctlError) {
        let errno: Errno?
        do { errno = try kernel.gate.refusal(of: "write \(sysctl)") } catch { errno = .ioError }
        if let errno { throw SysctlError(sysctl: sysctl, value: value, errno: errno) }
        let isThere = with { namespace in
            guard namespace.sysctls[sysctl] != nil else { return false }
            namespace.write(value, to: sysctl)
            return true
        }
        guard isThere else { throw SysctlError(sysctl: sysctl, value: value, errno: .noSuchFileOrDirectory) }
    }

    func forget(_ flows: [StaleFlows]) async throws { try kernel.operation("forget flows") }

    func routingRules() async throws -> Set<RoutingRule> {
        try kernel.gate.look()
        return with(\.routingRules)
    }

    func set(_ rule: RoutingRule, _ isWanted: Bool) async throws {
        let words = "\(isWanted ? "add" : "remove") the routing rule \(rule)"
        try kernel.operation(words)
        let isDouble = with { namespace in
            if isWanted { return !namespace.routingRules.insert(rule).inserted }
            namespace.routingRules.remove(rule)
            return false
        }
        if isDouble { throw PlaceError(words, .fileExists) }
    }

    func interfaces(with family: AddressFamily) async -> Reading<Set<String>> {
        .known(Set(with(\.interfaces).keys).union(["all", "default", "lo"]))
    }

    func strangers() async throws -> Set<String> {
        Set(with(\.interfaces).filter { !$0.value.isInOurGroup }.keys)
    }

    func claimant(of end: LinkEnd) async throws -> String? { nil }

    func connections(
        to destinations: [RetiringDestination: TransportProtocol]
    ) async throws -> [RetiringDestination: Int] {
        try kernel.gate.look()
        return kernel.withState { state in
            Dictionary(uniqueKeysWithValues: destinations.keys.map { ($0, state.connections[$0] ?? 0) })
        }
    }

    func connections(at servers: [Destination.ID: TransportProtocol]) async throws -> [Destination.ID: Int] {
        try kernel.look(at: "the connections to programs in \(name)")
        return kernel.withState { state in
            Dictionary(uniqueKeysWithValues: servers.keys.map { ($0, state.servedConnections[name]?[$0] ?? 0) })
        }
    }

    func change(_ change: LinkOperation, of interface: String) async throws {
        let words = change.operation(on: interface)
        try kernel.operation(words)
        if change == .delete {
            kernel.withState { $0.delete(interface, in: name) }
            return
        }
        let errno: Errno? = with { namespace in
            guard var there = namespace.interfaces[interface] else { return Errno(rawValue: 19) }
            if let refusal = namespace.refusal(of: change, on: interface, there) { return refusal }
            there.perform(change)
            namespace.interfaces[interface] = there
            return nil
        }
        if let errno { throw PlaceError(words, errno) }
    }
}

extension SimulatedRequest {
    /// Whether the request changes anything.
    fileprivate var changes: Bool {
        switch command {
        case .newService, .setService, .deleteService, .newDestination, .setDestination, .deleteDestination,
            .setConfiguration, .zero, .flush, .newDaemon, .deleteDaemon:
            true
        default: false
        }
    }
}

extension FakeNamespace {
    /// What the kernel refuses a change of an interface with; nil if it does not.
    fileprivate func refusal(of change: LinkOperation, on interface: String, _ there: Interface) -> Errno? {
        switch change {
        case .addAddress(let address):
            let disabled = Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6")
            if address.address.family == .ipv6, sysctls[disabled] == "1" { return .permissionDenied }
            let isThere = there.addresses.contains {
                $0.address == address.address && ($0.address.family == .ipv6 || $0.length == address.length)
            }
            return isThere ? .fileExists : nil
        case .joinBridge(let bridge): return interfaces[bridge]?.kind == "bridge" ? nil : Errno(rawValue: 19)
        case .isolate: return there.bridge == nil ? .notSupportedOnSocket : nil
        case .addRoute(let route):
            guard there.isUp else { return Errno(rawValue: 100) }
            if let gateway = route.gateway, !there.addresses.contains(where: { $0.network.contains(gateway) }) {
                return gateway.family == .ipv4 ? .networkUnreachable : .noRouteToHost
            }
            let isExclusive = route.destination.length == 0 && route.table == .main
            let isThere = interfaces.values.contains { other in
                other.routes.contains { $0.destination == route.destination && $0.table == route.table }
            }
            return isExclusive && isThere ? .fileExists : nil
        default: return nil
        }
    }
}

extension IPAddress {
    fileprivate var isIPv6LinkLocal: Bool { family == .ipv6 && isLinkLocal }
}

extension InterfacePrefix {
    fileprivate var network: IPPrefix { IPPrefix(address, length: length) }
}

extension FakeNamespace.Interface {
    fileprivate mutating func perform(_ change: LinkOperation) {
        switch change {
        case .setAlias(let alias): self.alias = alias
        case .setHardwareAddress(let address): hardwareAddress = address
        case .addAddress(let address):
            if addresses.contains(where: { $0.address.family == .ipv4 && $0.network == address.network }) {
                secondaryAddresses.insert(address)
            }
            addresses.insert(address)
            if isUp { connect(address) }
        case .removeAddress(let address) where address.address.isIPv6LinkLocal: lacksLinkLocal = true
        case .removeAddress(let address):
            remove(address)
        case .restoreLinkLocal: lacksLinkLocal = false
        case .raise:
            isUp = true
            for address in addresses { connect(address) }
        case .setMTU(let mtu): self.mtu = mtu
        case .joinBridge(let name): bridge = name
        case .isolate(let isIsolated): self.isIsolated = isIsolated
        case .addRoute(let route):
            routes = routes.filter { $0.destination != route.destination || $0.table != route.table }
            routes.insert(route)
            ours.insert(route)
        case .removeRoute(let route): routes.remove(route)
        case .putNeighbour(let address, let hardware): neighbours[address] = hardware
        case .removeNeighbour(let address): neighbours[address] = nil
        case .putForwarding(let hardware, let node): forwarding[hardware] = node
        case .removeForwarding(let hardware): forwarding[hardware] = nil
        case .delete: break
        }
    }

    /// The kernel removes the secondary addresses of a network with its primary one.
    private mutating func remove(_ address: InterfacePrefix) {
        addresses.remove(address)
        disconnect(address)
        if secondaryAddresses.remove(address) != nil { return }
        for secondary in secondaryAddresses where secondary.network == address.network { remove(secondary) }
    }

    /// The kernel removes the route to an address's network with the address. With the last address of IPv4, it removes
    /// all routes of the family through the interface, of all tables.
    private mutating func disconnect(_ address: InterfacePrefix) {
        let family = address.address.family
        let isLast = !addresses.contains { $0.address.family == family }
        let isShared = addresses.contains { $0.network == address.network }
        let isThereStill = addresses.contains { $0.address == address.address }
        routes = routes.filter { route in
            guard route.destination.family == family else { return true }
            if family == .ipv4 {
                let isItsOwn = route.source == address.address
                return !isLast && (!isItsOwn || (isThereStill && route.destination != address.network))
            }
            return isShared || route.gateway != nil || route.destination != address.network
        }
    }

    /// The kernel makes the route to an address's network once the interface is up. A secondary address needs none.
    private mutating func connect(_ address: InterfacePrefix) {
        guard !secondaryAddresses.contains(address) else { return }
        routes.insert(
            Route(
                to: IPPrefix(address.address, length: address.length),
                source: address.address.family == .ipv4 ? address.address : nil))
    }
}
