package import IPVSKit
import RuleKit

/// What the kernel holds of an interface that has the name of an end of one of our links.
package struct ObservedLink: Hashable, Sendable {
    /// The position of the other end of a pair.
    package enum Peer: Hashable, Sendable {
        /// The other end is in one of the mesh's places and has this index there.
        case place(PlaceID, index: Int32)
        /// The other end is elsewhere, or the interface has none.
        case elsewhere
    }

    /// The interface's index, which is unique within its namespace.
    package var index: Int32
    /// The kind, such as `veth`; nil for an interface without a kind, such as a network card.
    package var kind: String?
    /// The alias (`ip link set … alias`).
    package var alias: String?
    /// Whether the interface is in the group of interfaces that the mesh makes.
    package var isInOurGroup = false
    package var hardwareAddress: HardwareAddress?
    package var isUp = false
    package var peer = Peer.elsewhere
    package var addresses: Set<InterfacePrefix> = []
    /// The routes through the interface that the link asks for.
    package var routes: Set<Route> = []
    /// The permanent neighbours.
    package var neighbours: [IPAddress: HardwareAddress] = [:]
    /// The addresses among ``LinkEnd/reaches`` that packets reach through this interface.
    package var reached: Set<IPAddress> = []

    package init(index: Int32) { self.index = index }

    /// Whether the mesh made the interface: its group or alias says so, or its other end is in a place that only the
    /// mesh makes.
    var isOurs: Bool {
        if isInOurGroup || alias?.hasPrefix(Self.aliasPrefix) == true { return true }
        if case .place(let place, _) = peer { return place != .node }
        return false
    }

    /// The beginning of the alias of every link of the mesh.
    static let aliasPrefix = "meshctl: "
}
