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

    func interfaces(with family: AddressFamily) async -> Reading<Set<String>> {
        .known(Set(with(\.interfaces).keys).union(["all", "default", "lo"]))
    }

    func strangers() async throws -> Set<String> {
        Set(with(\.interfaces).filter { !$0.value.isInOurGroup }.keys)
    }

    func claimant(of end: LinkEnd) async throws -> String? { nil }

    func connections(to destinations: Set<RetiringDestination>) async throws -> [RetiringDestination: Int] {
        try kernel.gate.look()
        return kernel.withState { state in
            Dictionary(uniqueKeysWithValues: destinations.map { ($0, state.connections[$0] ?? 0) })
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
            if case .addAddress(let address) = change, there.addresses.contains(address) { return .fileExists }
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

extension FakeNamespace.Interface {
    fileprivate mutating func perform(_ change: LinkOperation) {
        switch change {
        case .setAlias(let alias): self.alias = alias
        case .setHardwareAddress(let address): hardwareAddress = address
        case .addAddress(let address):
            addresses.insert(address)
            if isUp { connect(address) }
        case .removeAddress(let address):
            addresses.remove(address)
            let network = IPPrefix(address.address, length: address.length)
            routes = routes.filter { route in
                route.source != address.address && !(route.gateway.map(network.contains) ?? false)
            }
        case .raise:
            isUp = true
            for address in addresses { connect(address) }
        case .addRoute(let route): routes.insert(route)
        case .putNeighbour(let address, let hardware): neighbours[address] = hardware
        case .delete: break
        }
    }

    /// The kernel makes the route to an address's network once the interface is up.
    private mutating func connect(_ address: InterfacePrefix) {
        routes.insert(Route(to: IPPrefix(address.address, length: address.length), source: address.address))
    }
}
