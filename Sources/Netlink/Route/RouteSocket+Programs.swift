import CNetlink
package import SystemPackage

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

extension RouteSocket {
    /// The interfaces of the namespace that have such.
    package mutating func programs() throws(Errno) -> [InterfaceProgram] {
        var found: [InterfaceProgram] = []
        try perform(Int(RTM_GETLINK), flags: Int(NLM_F_DUMP), header: ifinfomsg()) { _ in
        } answer: { message in
            let size = MemoryLayout<ifinfomsg>.size
            guard message.count >= size else { return }
            let header = message.loadUnaligned(as: ifinfomsg.self)
            let xdp = Attributes(UnsafeRawBufferPointer(rebasing: message[size...])).first(Int(IFLA_XDP))?.nested
            guard let attached = xdp?.first(Int(IFLA_XDP_ATTACHED))?.uint8, attached != 0 else { return }
            found.append(InterfaceProgram(interface: header.ifi_index, kind: .xdp))
        }
        try perform(Int(RTM_GETQDISC), flags: Int(NLM_F_DUMP), header: tcmsg()) { _ in
        } answer: { message in
            let size = MemoryLayout<tcmsg>.size
            guard message.count >= size else { return }
            let header = message.loadUnaligned(as: tcmsg.self)
            let kind = Attributes(UnsafeRawBufferPointer(rebasing: message[size...])).first(Int(TCA_KIND))?.string
            guard kind == "clsact" || kind == "ingress" else { return }
            found.append(InterfaceProgram(interface: header.tcm_ifindex, kind: .tc))
        }
        return found
    }
}
