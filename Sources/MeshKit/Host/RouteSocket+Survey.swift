import CNetlink
import IPVSKit
import Netlink
import SystemPackage

/// A packet as the routing decision sees it.
struct RoutedPacket: Hashable, Sendable {
    /// The source address; nil if the packet has none yet.
    var source: IPAddress?
    var destination: IPAddress
    /// The interface on which the packet arrives; nil for a packet that this node sends.
    var input: String?
    var mark: UInt32 = 0

    /// The `ip route get` command that shows the routing decision about the packet.
    var question: String {
        "ip route get \(destination)" + (source.map { " from \($0)" } ?? "") + (input.map { " iif \($0)" } ?? "")
            + (mark == 0 ? "" : " mark \(mark)")
    }
}

/// The kernel's routing decision.
enum Routing: Hashable, Sendable {
    case leaves(by: String)
    /// A route or a rule of `ip rule` exists to refuse the packet, or its source is behind another interface.
    case refused
    /// There is no route, or the kernel does not tell.
    case unknown
}

extension RouteSocket {
    /// Asks the kernel for the routing decision about a packet (`RTM_GETROUTE`).
    mutating func routing(of packet: RoutedPacket) throws(Errno) -> Routing {
        var input: Int32?
        if let name = packet.input {
            guard let link = try link(named: name) else { return .unknown }
            input = link.index
        }
        var header = rtmsg()
        header.rtm_family = UInt8(packet.destination.family == .ipv4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(packet.destination.bytes.count * 8)
        header.rtm_src_len = packet.source == nil ? 0 : header.rtm_dst_len
        var output: Int32?
        do throws(Errno) {
            try perform(Int(RTM_GETROUTE), header: header) { message in
                message.put(Int(RTA_DST.rawValue), bytes: packet.destination.bytes)
                if let source = packet.source { message.put(Int(RTA_SRC.rawValue), bytes: source.bytes) }
                if let input { message.put(Int(RTA_IIF.rawValue), UInt32(input)) }
                if packet.mark != 0 { message.put(Int(RTA_MARK.rawValue), packet.mark) }
            } answer: { answer in
                output = answer.header(rtmsg.self)?.attributes.first(Int(RTA_OIF.rawValue))?.uint32
                    .map(Int32.init(bitPattern:))
            }
        } catch {
            if [.noRouteToHost, .permissionDenied, .invalidArgument, .improperLink].contains(error) { return .refused }
            guard error == .networkUnreachable else { throw error }
        }
        return output.flatMap(interfaceName).map(Routing.leaves) ?? .unknown
    }
}
