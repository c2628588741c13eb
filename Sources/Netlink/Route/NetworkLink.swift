import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A network interface (`RTM_NEWLINK`), with the properties that this package needs.
package struct NetworkLink: Hashable, Sendable {
    package var index: Int32
    package var name = ""
    package var flags: Flags
    /// The kind, such as `veth` or `bridge`; nil for an interface without a kind, such as a network card.
    package var kind: String?
    /// The alias (`ip link set … alias`).
    package var alias: String?
    /// The group of the interface, by default 0.
    package var group: UInt32 = 0
    /// The hardware address: six bytes, or empty if the interface has none.
    package var hardwareAddress: [UInt8] = []
    /// The index of the interface that this one is bound to; for a veth interface, its other end.
    package var peer: Int32?
    /// If ``peer`` is in another namespace: the number of that namespace in this one.
    package var peerNamespace: Int32?
    /// The index of the interface to which this one belongs, as a port belongs to its bridge; nil if there is none.
    package var master: Int32?
    /// The kind of the interface to which this one belongs, such as `bridge`; nil if there is none.
    package var masterKind: String?
    /// Whether the port is in hairpin mode: its bridge may send a packet back through the port on which it arrived.
    package var turnsBack = false
    /// Whether the port exchanges no packets with the other isolated ports of its bridge.
    package var isIsolated = false
    /// The greatest length of a packet in bytes (MTU).
    package var mtu: UInt32 = 0
    /// The settings of a VXLAN interface; nil for other kinds.
    package var vxlan: VXLANSettings?

    /// Flags such as `IFF_UP`.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let up = Self(rawValue: UInt32(IFF_UP))
        /// The interface can transfer packets.
        package static let running = Self(rawValue: UInt32(IFF_RUNNING))
    }
}

extension NetworkLink {
    /// Nil if the message is truncated.
    package init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(ifinfomsg.self) else { return nil }
        index = header.ifi_index
        flags = Flags(rawValue: header.ifi_flags)
        for attribute in attributes {
            switch Int(attribute.type) {
            case Int(IFLA_IFNAME): name = attribute.string
            case Int(IFLA_IFALIAS): alias = attribute.string
            case Int(IFLA_ADDRESS): hardwareAddress = Array(attribute.bytes)
            case Int(IFLA_GROUP): group = attribute.uint32 ?? 0
            case Int(IFLA_LINK): peer = attribute.int32
            case Int(IFLA_LINK_NETNSID): peerNamespace = attribute.int32
            case Int(IFLA_MASTER): master = attribute.int32
            case Int(IFLA_MTU): mtu = attribute.uint32 ?? 0
            case Int(IFLA_LINKINFO): read(info: attribute.nested)
            default: break
            }
        }
    }

    private mutating func read(info: Attributes) {
        for attribute in info {
            switch Int(attribute.type) {
            case Int(IFLA_INFO_KIND): kind = attribute.string
            case Int(IFLA_INFO_SLAVE_KIND): masterKind = attribute.string
            case Int(IFLA_INFO_DATA) where kind == "vxlan": vxlan = VXLANSettings(attribute.nested)
            case Int(IFLA_INFO_SLAVE_DATA) where masterKind == "bridge":
                turnsBack = attribute.nested.first(Int(IFLA_BRPORT_MODE))?.uint8 == 1
                isIsolated = attribute.nested.first(Int(IFLA_BRPORT_ISOLATED))?.uint8 == 1
            default: break
            }
        }
    }
}

/// An interface that is to be made, down and without addresses.
package struct NewInterface: Sendable {
    package var name: String
    /// The hardware address: six bytes.
    package var hardwareAddress: [UInt8]
    /// The group of the interface from the first moment.
    package var group: UInt32
    /// The namespace in which the interface is made; nil for the client's.
    package var namespace: NamespaceHandle?

    package init(name: String, hardwareAddress: [UInt8], group: UInt32 = 0, namespace: NamespaceHandle? = nil) {
        self.name = name
        self.hardwareAddress = hardwareAddress
        self.group = group
        self.namespace = namespace
    }

    func write(to writer: inout MessageWriter) {
        writer.put(Int(IFLA_IFNAME), string: name)
        writer.put(Int(IFLA_ADDRESS), bytes: hardwareAddress)
        if group != 0 { writer.put(Int(IFLA_GROUP), group) }
        if let namespace { writer.put(Int(IFLA_NET_NS_FD), UInt32(namespace.descriptor.rawValue)) }
    }
}

extension Attribute {
    /// An interface's index or a namespace's number. The kernel writes both as signed numbers.
    var int32: Int32? { uint32.map(Int32.init(bitPattern:)) }
}
