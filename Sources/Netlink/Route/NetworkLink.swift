import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A network interface (`RTM_NEWLINK`), as far as anybody here asks.
package struct NetworkLink: Hashable, Sendable {
    package var index: Int32
    package var name = ""
    package var flags: Flags
    /// `veth`, `bridge`; nil for what has no kind, as hardware.
    package var kind: String?
    /// What somebody wrote on it.
    package var alias: String?
    /// The group that somebody put it into; 0 where nobody did.
    package var group: UInt32 = 0
    /// Its hardware address: six bytes, or none for what has none.
    package var hardwareAddress: [UInt8] = []
    /// The index of what it is bound to, for a veth its other end.
    package var peer: Int32?
    /// Where that is in another namespace: that one's number in this namespace.
    package var peerNamespace: Int32?
    /// The index of the interface that it belongs to, as a port belongs to its bridge; nil for what belongs to none.
    package var master: Int32?
    /// `bridge` for a port of one; nil for what belongs to no other interface.
    package var masterKind: String?
    /// Whether a bridge gives packets back to this port that came by it.
    package var turnsBack = false

    /// The kernel's `IFF_UP` and its like.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let up = Self(rawValue: UInt32(IFF_UP))
    }
}

extension NetworkLink {
    /// Nil where the message is cut short.
    init?(_ message: NetlinkMessage) {
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
            case Int(IFLA_INFO_SLAVE_DATA) where masterKind == "bridge":
                turnsBack = attribute.nested.first(Int(IFLA_BRPORT_MODE))?.uint8 == 1
            default: break
            }
        }
    }
}

/// One end of a veth pair that is to be.
package struct VethEnd: Sendable {
    package var name: String
    /// Six bytes.
    package var hardwareAddress: [UInt8]
    /// The group of interfaces that it is in from the first.
    package var group: UInt32
    /// The namespace it is made in; nil for that of the client.
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
    /// An interface's index, or a namespace's number: the kernel writes both as signed numbers.
    var int32: Int32? { uint32.map(Int32.init(bitPattern:)) }
}
