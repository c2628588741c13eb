public import IPVSKit
public import RuleKit

/// The connections that are left of a published port to a destination that takes no new ones.
public struct RetiringConnections: Hashable, Sendable {
    /// The place whose balancer has the connections.
    public var place: PlaceID
    /// The published port.
    public var binding: PortBinding
    /// The destination.
    public var destination: Destination.ID
    /// The number of connections that may still transfer data. Nil if they were not counted yet.
    public var connections: Int?
    /// For how many seconds the path has taken no new connections.
    public var seconds: UInt64
    /// When the time of the connections is over. Nil: never.
    public var until: BootTime?
    /// For how many seconds the connections may go on, rounded up. Nil: for good.
    public var secondsLeft: UInt64?
    /// Whether the task of the destination drains, or is not healthy: it is in the spec, and the destination stays without
    /// connections, too.
    public var isDraining: Bool
    /// Whether it does so only because it is not healthy.
    public var isUnhealthy: Bool

    package init(
        place: PlaceID, binding: PortBinding, destination: Destination.ID, connections: Int? = nil, seconds: UInt64,
        until: BootTime? = nil, secondsLeft: UInt64? = nil, isDraining: Bool,
        isUnhealthy: Bool = false
    ) {
        self.place = place
        self.binding = binding
        self.destination = destination
        self.connections = connections
        self.seconds = seconds
        self.until = until
        self.secondsLeft = secondsLeft
        self.isDraining = isDraining
        self.isUnhealthy = isUnhealthy
    }
}

extension RetiringConnections {
    /// The same, with the end of its time by the seconds that were left of it, of which the last had begun.
    func knowingEnd(from now: BootTime) -> Self {
        guard until == nil, let secondsLeft else { return self }
        var path = self
        path.until = now.advanced(bySeconds: max(secondsLeft, 1) - 1)
        return path
    }
}

extension RetiringConnections: CustomStringConvertible {
    /// `former path 1080/tcp -> 10.0.0.11:80`, with the place unless it is the node.
    var path: String {
        let kind = isUnhealthy ? "unhealthy" : isDraining ? "draining" : "former path"
        return "\(kind) \(binding) -> \(destination)" + (place == .node ? "" : ", in \(place)")
    }

    /// `former path 1080/tcp -> 10.0.0.11:80: 3 connections left, no new ones for 12 s`.
    public var description: String {
        let left =
            switch connections {
            case nil: "connections not counted yet"
            case 0: "no connection left"
            case 1: "1 connection left"
            case let count?: "\(count) connections left"
            }
        let flows =
            binding.transport == .udp
            ? "; a client that goes on sending keeps its flow, and a silent one counts until IPVS forgets it, after 300 s"
            : ""
        let end =
            switch secondsLeft {
            case let seconds? where connections != 0 && !isDraining: ", cut in \(seconds) s"
            default: ""
            }
        return "\(path): \(left), no new ones for \(seconds) s" + end + flows
    }
}

extension Ledger {
    /// The connections of the retiring paths, by place and port.
    ///
    /// - Parameter spec: says which tasks drain, and which are not healthy.
    func connections(in found: ObservedDatapath, for spec: MeshSpec, now: BootTime) -> [RetiringConnections] {
        guard places.values.contains(where: { !$0.retiring.isEmpty }) else { return [] }
        let paths = spec.paths
        return places.sorted { $0.key < $1.key }.flatMap { place, holdings in
            holdings.retiring.flatMap { path in
                // The sandbox knows a port at an address of the node by its own address.
                let binding = paths[path.mark]?.port.listening ?? path.binding
                return path.destinations.sorted().map { destination in
                    let id = VirtualService.ID.firewallMark(path.mark, destination.address.family)
                    return RetiringConnections(
                        place: place, binding: binding, destination: destination,
                        connections: found[place].connections[RetiringDestination(destination, of: id)],
                        seconds: now.seconds(since: path.since), until: path.until,
                        secondsLeft: path.until.map { $0.secondsBegun(since: now) },
                        isDraining: paths[path.mark]?.wish(for: destination, at: place) == .drains,
                        isUnhealthy: paths[path.mark]?.isUnhealthy(destination, at: place) ?? false)
                }
            }
        }
    }
}
