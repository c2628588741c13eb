public import IPVSKit

/// A link that the mesh makes: one interface, or the connected ends of a pair. A veth pair is one link with ends in two
/// places.
public struct Link: Hashable, Sendable {
    /// The type of a link, as `ip link add … type` names it.
    public enum Kind: Hashable, Sendable {
        /// A pair of interfaces. A packet that enters one leaves through the other.
        case veth
        /// A bridge, to which other interfaces belong as its ports.
        case bridge
        /// An interface whose packets travel to other nodes.
        case vxlan(VXLAN)
    }

    /// The type.
    public var kind: Kind
    /// The ends of the link. The end in the place that a packet meets last comes first.
    public var ends: [LinkEnd]
    /// The place for which the link is made. If this host refuses the link, the mesh does without this place.
    public var purpose: PlaceID
    /// The alias of each end (`ip link set … alias`), which distinguishes it from interfaces of other programs.
    public var alias: String

    /// A veth pair.
    ///
    /// - Parameters:
    ///   - far: the end in the place that a packet meets last.
    ///   - near: the other end.
    public static func pair(_ far: LinkEnd, _ near: LinkEnd, for purpose: PlaceID, alias: String) -> Self {
        Self(kind: .veth, ends: [far, near], purpose: purpose, alias: alias)
    }

    /// A link of one interface.
    public static func single(_ kind: Kind, _ end: LinkEnd, for purpose: PlaceID, alias: String) -> Self {
        Self(kind: kind, ends: [end], purpose: purpose, alias: alias)
    }

    /// The other end of a pair.
    func peer(of end: LinkEnd) -> LinkEnd? { ends.first { $0.id != end.id } }
}

extension Link.Kind: CustomStringConvertible {
    /// The name of the type, as the kernel has it.
    public var description: String {
        switch self {
        case .veth: "veth"
        case .bridge: "bridge"
        case .vxlan: "vxlan"
        }
    }
}

/// The settings of a VXLAN interface, which it keeps for as long as it exists.
public struct VXLAN: Hashable, Sendable {
    /// The VXLAN network identifier (VNI).
    public var identifier: UInt32
    /// The UDP port to which encapsulated packets are sent, and on which they are received.
    public var port: UInt16
    /// The address from which this node sends encapsulated packets. Nil leaves the choice to the kernel.
    public var local: IPAddress?

    /// Settings by their parts.
    public init(identifier: UInt32, port: UInt16, local: IPAddress? = nil) {
        self.identifier = identifier
        self.port = port
        self.local = local
    }
}
