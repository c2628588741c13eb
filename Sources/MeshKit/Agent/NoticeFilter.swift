import CNetlink
import Netlink

/// Decides which messages about changes in a namespace concern the mesh. The kernel also tells of every neighbour that
/// is found, used and forgotten, on any interface: only entries that somebody wrote, on interfaces of the mesh, count.
struct NoticeFilter: Sendable {
    /// The interfaces of the mesh, by index; nil if all interfaces of the namespace are.
    private var ours: Set<Int32>?

    /// The states of entries that the kernel finds, uses and forgets by itself.
    private static let passing: UInt16 = 0x1F

    /// - Parameter ours: the interfaces of the mesh, by index; nil if all interfaces of the namespace are.
    init(ours: Set<Int32>?) { self.ours = ours }

    /// Whether a message of the topic ``NotificationSocket/Topic/route`` may call for a pass.
    mutating func isNews(_ message: NetlinkMessage) -> Bool {
        switch Int(message.type) {
        case Int(RTM_NEWLINK), Int(RTM_DELLINK):
            note(message)
            return true
        case Int(RTM_NEWNEIGH), Int(RTM_DELNEIGH):
            guard let (header, _) = message.header(ndmsg.self) else { return true }
            if let ours, !ours.contains(header.ndm_ifindex) { return false }
            return header.ndm_state & ~Self.passing != 0
        default: return true
        }
    }

    /// Keeps the interfaces of the mesh up to date.
    private mutating func note(_ message: NetlinkMessage) {
        guard ours != nil, let link = NetworkLink(message) else { return }
        if Int(message.type) == Int(RTM_NEWLINK), link.group == LivePlace.group {
            ours?.insert(link.index)
        } else if Int(message.type) == Int(RTM_DELLINK) {
            ours?.remove(link.index)
        }
    }
}
