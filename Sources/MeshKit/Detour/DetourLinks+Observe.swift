import IPVSKit
import Netlink
import SystemPackage

extension DetourLinks {
    /// What there is of the links. Costs a dozen messages and file reads and no process.
    package func observe() async throws -> ObservedDetour { try await observe(Place(node)) }

    func observe(_ place: Place) async throws -> ObservedDetour {
        let content = try place.mount.content()
        let near = try await DetachedThread.run(in: place.node) { () throws(DetourError) in
            try NearEnd(content)
        }
        let name = place.mount.name
        let far: [String]
        switch content {
        case .missing where !near.isOurs:
            return .absent
        case .missing:
            far = ["the namespace \(name) is missing"]
        case .somethingElse:
            far = ["/run/netns/\(name) is not a network namespace"]
        case .namespace(let helper):
            far = try await DetachedThread.run(in: helper) { () throws(DetourError) in
                try Self.farFaults(near.peer, name)
            }
        }
        let faults = near.faults + far
        return faults.isEmpty ? .intact : .damaged(faults)
    }

    /// What is wrong in the helper. On a thread in there.
    private static func farFaults(_ expected: Int32?, _ name: String) throws(DetourError) -> [String] {
        let interface = LoopbackDetour.helperInterface
        var socket = try DetourError.attempt("look at \(interface) in \(name)") { () throws(Errno) in try RouteSocket()
        }
        let link = try DetourError.attempt("look at \(interface) in \(name)") { () throws(Errno) in
            try socket.link(named: interface)
        }
        guard let link, link.kind == "veth" else { return ["\(interface) is missing in \(name)"] }
        var faults: [String] = []
        if let expected, link.index != expected {
            faults.append("\(interface) in \(name) is not the other end of \(LoopbackDetour.interface)")
        }
        faults += try socket.faults(
            of: link, interface, address: LoopbackDetour.helperAddress, neighbour: LoopbackDetour.nodeAddress,
            settings: LoopbackDetour.helperSettings)
        return faults.map { $0.contains(name) ? $0 : "\($0), in \(name)" }
    }
}

/// The node's end, and what is wrong with it. Read on a thread in the node's namespace.
private struct NearEnd: Sendable {
    var isOurs = false
    /// The index that the other end must have.
    var peer: Int32?
    var faults: [String] = []

    init(_ content: NamespaceMount.Content) throws(DetourError) {
        let interface = LoopbackDetour.interface
        var socket = try DetourError.attempt("look at \(interface)") { () throws(Errno) in try RouteSocket() }
        guard let end = try socket.nodeEnd(content) else {
            faults = ["\(interface) is missing"]
            return
        }
        isOurs = end.isOurs
        guard isOurs else {
            faults = ["\(interface) is not meshctl's"]
            return
        }
        guard end.leadsToHelper else {
            faults = ["the other end of \(interface) is not in its namespace"]
            return
        }
        peer = end.link.peer
        faults = try socket.faults(
            of: end.link, interface, address: LoopbackDetour.nodeAddress, neighbour: LoopbackDetour.helperAddress,
            settings: LoopbackDetour.nodeSettings)
    }
}

extension RouteSocket {
    /// What is wrong with one end.
    ///
    /// Addresses are looked up as a packet would be: that finds one that is missing, and also a route of somebody
    /// else's that leads elsewhere.
    fileprivate mutating func faults(
        of link: NetworkLink, _ interface: String, address: IPAddress, neighbour: IPAddress,
        settings: [Sysctl: String]
    ) throws(DetourError) -> [String] {
        var faults: [String] = []
        let files = SysctlFiles()
        for (sysctl, value) in settings.sorted(by: { $0.key < $1.key }) {
            let found = files.read(sysctl)
            if found != value { faults.append("\(sysctl) is \(found ?? "missing"), not \(value)") }
        }
        // Without a link there are no routes, whichever addresses it has.
        guard link.flags.contains(.up) else { return faults + ["\(interface) is down"] }
        let own = try lookUp(address)
        if own?.isLocal != true || own?.interface != link.index {
            faults.append("\(interface) lacks the address \(address)/\(LoopbackDetour.prefixLength)")
        } else {
            let other = try lookUp(neighbour)
            if other?.interface != link.index || other?.prefixLength != LoopbackDetour.prefixLength {
                faults.append("\(neighbour) is not reached by \(interface)")
            }
        }
        return faults
    }
}
