import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A netlink socket to which the kernel sends what changes in one network namespace, whoever changes it. It keeps the
/// namespace alive.
package final class NotificationSocket: Sendable {
    /// The changes that a socket is told of.
    package enum Topic: Sendable, CaseIterable {
        /// Links, addresses, routes, routing rules, neighbours, forwarding databases, and settings of interfaces.
        case route
        /// The rules of nftables and of the iptables that writes nftables.
        case nftables
    }

    /// The descriptor, for waiting until there is something to read.
    package let descriptor: CInt

    private init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Opens a socket in a namespace. A change that is made after this is told of.
    package static func open(
        _ topic: Topic, in namespace: NamespaceHandle, deadline: Duration = .seconds(30)
    ) async throws(NetlinkError) -> NotificationSocket {
        try await DetachedThread.run(in: namespace, deadline: deadline) {
            Result { () throws(Errno) in try make(topic) }.mapError(NetlinkError.socket)
        }.get()
    }

    private static func make(_ topic: Topic) throws(Errno) -> NotificationSocket {
        let flags = CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_NETLINK, flags, topic.netlinkProtocol)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        let opened = NotificationSocket(descriptor: descriptor)
        // A socket without a port id counts as the kernel itself, which is not told of what it does.
        var own = sockaddr_nl()
        own.nl_family = sa_family_t(AF_NETLINK)
        let bound = withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard bound == 0 else { throw Errno(rawValue: errno) }
        for group in topic.groups {
            var group = group
            let size = socklen_t(MemoryLayout.size(ofValue: group))
            guard setsockopt(descriptor, CInt(CNetlink_SOL_NETLINK), NETLINK_ADD_MEMBERSHIP, &group, size) == 0 else {
                throw Errno(rawValue: errno)
            }
        }
        return opened
    }

    /// Reads all messages that have arrived.
    ///
    /// - Parameter handler: receives each message in place.
    /// - Returns: whether all that was sent has arrived. The kernel drops messages for which the socket has no room
    ///   (`ENOBUFS`); then anything may have changed.
    package func drain(_ handler: (NetlinkMessage) -> Void) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: 8) { buffer in
            var isComplete = true
            while true {
                switch receiveFromKernel(descriptor, into: buffer, flags: CInt(MSG_DONTWAIT)) {
                case .success(let count):
                    let datagram = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
                    NetlinkHeader.forEachMessage(in: datagram) { header, payload in
                        guard let message = NetlinkMessage(type: header.type, payload: payload) else { return }
                        handler(message)
                    }
                case .failure(.resourceTemporarilyUnavailable): return isComplete
                // A message that is larger than the buffer is news, too.
                case .failure(.noBufferSpace), .failure(Errno(rawValue: EMSGSIZE)): isComplete = false
                case .failure: return false
                }
            }
        }
    }

    private static let bufferSize = 32 * 1024
}

extension NotificationSocket.Topic {
    fileprivate var netlinkProtocol: CInt {
        switch self {
        case .route: NETLINK_ROUTE
        case .nftables: NETLINK_NETFILTER
        }
    }

    /// The multicast groups. Those of netfilter are in a header that clashes with others: `NFNLGRP_NFTABLES` is 7.
    fileprivate var groups: [CUnsignedInt] {
        switch self {
        case .route:
            [
                RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE,
                RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_NETCONF,
                RTNLGRP_IPV6_NETCONF,
            ].map(\.rawValue)
        case .nftables: [7]
        }
    }
}
