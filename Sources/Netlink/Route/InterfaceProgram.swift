import CNetlink

/// A program that sees an interface's packets before any rule does. Its effects cannot be predicted.
package struct InterfaceProgram: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// An eBPF program that the driver runs (`ip link set dev … xdp`).
        case xdp
        /// Filters of `tc filter add dev … ingress`, which may contain programs.
        case tc
    }

    package var interface: Int32
    package var kind: Kind
}

extension InterfaceProgram {
    /// The program that a link runs (`RTM_NEWLINK`), empty if there is none. Nil if the message is truncated.
    static func ofLink(_ message: NetlinkMessage) -> [Self]? {
        guard let (header, attributes) = message.header(ifinfomsg.self) else { return nil }
        let attached = attributes.first(Int(IFLA_XDP))?.nested.first(Int(IFLA_XDP_ATTACHED))?.uint8 ?? 0
        return attached == 0 ? [] : [Self(interface: header.ifi_index, kind: .xdp)]
    }

    /// The filters for which a queueing discipline (`RTM_NEWQDISC`) stands, empty if it is for outgoing packets. Nil if
    /// the message is truncated.
    static func ofDiscipline(_ message: NetlinkMessage) -> [Self]? {
        guard let (header, attributes) = message.header(tcmsg.self) else { return nil }
        let kind = attributes.first(Int(TCA_KIND))?.string
        return kind == "clsact" || kind == "ingress" ? [Self(interface: header.tcm_ifindex, kind: .tc)] : []
    }
}
