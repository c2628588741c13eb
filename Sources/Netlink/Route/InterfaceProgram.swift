import CNetlink

/// What looks at an interface's packets before any rule does, and of which nothing more can be said.
package struct InterfaceProgram: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A program of eBPF that the driver runs (`ip link set dev … xdp`).
        case xdp
        /// Filters of `tc filter add dev … ingress`, which may be programs.
        case tc
    }

    package var interface: Int32
    package var kind: Kind
}

extension InterfaceProgram {
    /// The program that a link runs (`RTM_NEWLINK`); none where it runs none.
    static func ofLink(_ message: NetlinkMessage) -> [Self]? {
        guard let (header, attributes) = message.header(ifinfomsg.self) else { return nil }
        let attached = attributes.first(Int(IFLA_XDP))?.nested.first(Int(IFLA_XDP_ATTACHED))?.uint8 ?? 0
        return attached == 0 ? [] : [Self(interface: header.ifi_index, kind: .xdp)]
    }

    /// The filters that a queueing discipline (`RTM_NEWQDISC`) stands for; none where it is for packets that leave.
    static func ofDiscipline(_ message: NetlinkMessage) -> [Self]? {
        guard let (header, attributes) = message.header(tcmsg.self) else { return nil }
        let kind = attributes.first(Int(TCA_KIND))?.string
        return kind == "clsact" || kind == "ingress" ? [Self(interface: header.tcm_ifindex, kind: .tc)] : []
    }
}
