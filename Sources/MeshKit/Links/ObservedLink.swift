package import IPVSKit
import RuleKit

/// What the kernel holds of an interface that is to be, or was, an end of one of our links.
package struct ObservedLink: Hashable, Sendable {
    /// Where the other end of a pair is.
    package enum Peer: Hashable, Sendable {
        /// In one of our places, with this index.
        case place(PlaceID, index: Int32)
        /// Elsewhere, or it has no other end.
        case elsewhere
    }

    /// The kernel's number for it, of its namespace.
    package var index: Int32
    /// `veth`; nil for what has no kind, as hardware.
    package var kind: String?
    /// What somebody wrote on it.
    package var alias: String?
    /// Whether it is in the group of interfaces that the mesh makes.
    package var isInOurGroup = false
    package var hardwareAddress: HardwareAddress?
    package var isUp = false
    package var peer = Peer.elsewhere
    package var addresses: Set<InterfacePrefix> = []
    /// The routes by it that the mesh made, or could have made.
    package var routes: Set<Route> = []
    /// Its permanent neighbours.
    package var neighbours: [IPAddress: HardwareAddress] = [:]
    /// Of the addresses asked for, those that packets reach by it.
    package var reached: Set<IPAddress> = []

    package init(index: Int32) { self.index = index }

    /// Whether the mesh made it: it says so itself, or leads to where only the mesh leads.
    var isOurs: Bool {
        if isInOurGroup || alias?.hasPrefix(Self.aliasPrefix) == true { return true }
        if case .place(let place, _) = peer { return place != .node }
        return false
    }

    /// What the aliases of all our links begin with.
    static let aliasPrefix = "meshctl: "
}
