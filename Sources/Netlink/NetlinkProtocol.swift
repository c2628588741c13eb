/// What a netlink socket is opened for: the third argument of `socket(2)`.
package enum NetlinkProtocol: Sendable, Hashable {
    /// `NETLINK_GENERIC`, to talk to the family of this name, whose id the socket asks for when it is opened.
    case generic(family: String)
    /// `NETLINK_ROUTE`: links, addresses, routes.
    case route
    /// `NETLINK_NETFILTER`: nftables, sets, connection tracking.
    case netfilter
}
