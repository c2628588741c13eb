/// The protocol of a netlink socket: the third argument of `socket(2)`.
package enum NetlinkProtocol: Sendable, Hashable {
    /// `NETLINK_GENERIC`, for the family of this name. The socket asks for the family's id when it is opened.
    case generic(family: String)
    /// `NETLINK_ROUTE`: links, addresses, routes.
    case route
    /// `NETLINK_NETFILTER`: nftables, sets, connection tracking.
    case netfilter
}
