/// The protocol of a netlink socket: the third argument of `socket(2)`.
package enum NetlinkProtocol: Sendable, Hashable {
    /// `NETLINK_GENERIC`, for the family of this name. The socket asks for the family's id when it is opened.
    case generic(family: String)
    /// `NETLINK_ROUTE`: links, addresses, routes.
    case route
    /// The same, by a socket whose lists the kernel filters as the request says (`NETLINK_GET_STRICT_CHK`, since Linux
    /// 4.20). In return, it refuses requests with fields that have no meaning.
    case filteredRoute
    /// `NETLINK_NETFILTER`: nftables, sets, connection tracking.
    case netfilter
}
