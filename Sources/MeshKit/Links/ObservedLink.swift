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
    /// Whether ``peer`` is in a namespace that only the mesh makes.
    package var leadsIntoOwnPlace = false
    /// The settings of a VXLAN interface that the mesh chooses. Nil for other kinds, and for a VXLAN interface with
    /// settings that the mesh never chooses.
    package var vxlan: VXLAN?
    /// The name of the bridge to which the interface belongs.
    package var bridge: String?
    package var isIsolated = false
    package var mtu: UInt32 = 0
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
    /// The IPv4 addresses among them that joined another one in its network. The kernel removes them with that one.
    package var secondaryAddresses: Set<InterfacePrefix> = []
    /// Whether the interface transfers packets and has no IPv6 link-local address, which the kernel gives to each.
    package var lacksLinkLocal = false
    /// The routes through the interface that the link asks for.
    package var routes: Set<Route> = []
    /// Routes of the mesh through the interface that the link does not ask for.
    package var strayRoutes: Set<Route> = []
    /// The permanent neighbours.
    package var neighbours: [IPAddress: HardwareAddress] = [:]
    /// For a VXLAN interface: the address of the node behind which each hardware address is.
    package var forwarding: [HardwareAddress: IPAddress] = [:]
    /// The addresses among ``LinkEnd/reaches`` that packets reach through this interface.
    package var reached: Set<IPAddress> = []

    package init(index: Int32) { self.index = index }

    /// Whether the mesh made the interface: its group or alias says so, or its other end is in a place that only the
    /// mesh makes.
    var isOurs: Bool {
        isInOurGroup || alias?.hasPrefix(Self.aliasPrefix) == true || leadsIntoOwnPlace
    }

    /// The beginning of the alias of every link of the mesh.
    static let aliasPrefix = "meshctl: "
}
