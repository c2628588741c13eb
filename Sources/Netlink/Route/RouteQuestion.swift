import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A packet whose way out of a namespace is looked up (`RTM_GETROUTE`).
package struct RouteQuestion: Hashable, Sendable {
    /// The four or sixteen bytes of the address.
    package var destination: [UInt8]
    /// The packet's source address; nil if it has none yet.
    package var source: [UInt8]?
    /// The index of the interface on which the packet arrives; nil for a packet that the namespace sends.
    package var input: Int32?
    /// The index of the only interface whose routes are looked at; nil for all.
    package var output: Int32?
    /// The packet's mark.
    package var mark: UInt32
    /// The number of the packet's protocol and its ports, for routing rules that ask for them; nil if they are left
    /// open. The kernel (4.17) takes those of TCP and UDP.
    package var ports: Ports?
    /// Whether the answer shows the entry as it stands in the table (`RTM_F_FIB_MATCH`), or else the route that results
    /// for this packet.
    package var asItStands: Bool

    /// By default a packet that the namespace sends, and the entry that applies to it.
    package init(
        to destination: [UInt8], from source: [UInt8]? = nil, input: Int32? = nil, output: Int32? = nil,
        mark: UInt32 = 0, ports: Ports? = nil, asItStands: Bool = true
    ) {
        self.destination = destination
        self.source = source
        self.input = input
        self.output = output
        self.mark = mark
        self.ports = ports
        self.asItStands = asItStands
    }

    /// What the transport header of a packet tells.
    package struct Ports: Hashable, Sendable {
        /// The number of the protocol, such as `IPPROTO_TCP`.
        package var transport: UInt8
        package var source: UInt16
        package var destination: UInt16

        package init(_ transport: UInt8, from source: UInt16, to destination: UInt16) {
            self.transport = transport
            self.source = source
            self.destination = destination
        }
    }

    func write(to writer: inout MessageWriter) {
        var header = rtmsg()
        header.rtm_family = UInt8(destination.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(destination.count * 8)
        header.rtm_src_len = UInt8((source?.count ?? 0) * 8)
        header.rtm_flags = asItStands ? UInt32(RTM_F_FIB_MATCH) : 0
        writer.message(UInt16(RTM_GETROUTE), header: header) {
            $0.put(Int(RTA_DST.rawValue), bytes: destination)
            if let source { $0.put(Int(RTA_SRC.rawValue), bytes: source) }
            if let input { $0.put(Int(RTA_IIF.rawValue), UInt32(input)) }
            if let output { $0.put(Int(RTA_OIF.rawValue), UInt32(output)) }
            if mark != 0 { $0.put(Int(RTA_MARK.rawValue), mark) }
            if let ports {
                $0.put(Int(RTA_IP_PROTO.rawValue), ports.transport)
                $0.put(Int(RTA_SPORT.rawValue), bigEndian: ports.source)
                $0.put(Int(RTA_DPORT.rawValue), bigEndian: ports.destination)
            }
        }
    }
}

/// The kernel's answer about the way of a packet.
package enum RouteAnswer: Hashable, Sendable {
    case entry(RouteEntry)
    /// A route or a routing rule exists to refuse the packet (unreachable, prohibit, blackhole), or its source is behind
    /// another interface.
    case refused
    /// There is no route.
    case none

    package var entry: RouteEntry? {
        if case .entry(let entry) = self { entry } else { nil }
    }

    /// - Throws: the failure, if it is no answer to the question.
    init(_ result: Result<RouteEntry?, NetlinkError>) throws(NetlinkError) {
        do throws(NetlinkError) {
            self = try result.get().map(Self.entry) ?? .none
        } catch {
            guard case .refused(let errno, _) = error else { throw error }
            switch errno {
            case .noRouteToHost, .permissionDenied, .invalidArgument, .improperLink: self = .refused
            // A kernel without the family has no routes of it.
            case .networkUnreachable, .notSupportedOnSocket, .addressFamilyNotSupported: self = .none
            default: throw error
            }
        }
    }
}
