package import IPVSKit

/// The way by which 127.0.0.1 reaches published ports.
///
/// IPVS sends nothing that comes from 127.0.0.1 to a task elsewhere. So such a connection goes out to a helper, a
/// network namespace at the other end of a veth pair, and comes back from there as that of an ordinary client:
///
///     client on the node       node                        helper
///     127.0.0.1:P -> 127.0.0.1:1080
///                              N:P -> H:1080        ──>    H:P -> N:1080
///                              H:P -> N:1080        <──
///                              marked, balanced by IPVS
///
/// The replies go back the same way. This is about the links; the rules that translate the addresses are RuleKit's.
/// IPv4 only: what makes the kernel send from 127.0.0.1 by a link, `route_localnet`, IPv6 has not.
package enum LoopbackDetour {
    /// The node's end.
    package static let interface = "meshctl-lo"
    /// The helper's end.
    package static let helperInterface = "eth0"
    /// N, the node's address. Of 169.254.0.0/16, which routers do not forward and networks seldom number.
    package static let nodeAddress: IPAddress = "169.254.113.1"
    /// H, the helper's.
    package static let helperAddress: IPAddress = "169.254.113.2"
    /// Of the subnet that holds these two.
    package static let prefixLength = 30

    /// Written on the node's end, to tell it from an interface of somebody else's with the name.
    static let alias = "meshctl: from 127.0.0.1 to published ports"

    /// Nodes are network namespaces, of which one kernel may have several: each has a helper called after it.
    static func namespaceName(nodeInode: UInt64) -> String { "meshctl-lo-\(nodeInode)" }

    /// Lets packets from and to 127.0.0.0/8 pass the node's end, and no other interface.
    static let nodeSettings = [Sysctl(rawValue: "net/ipv4/conf/\(interface)/route_localnet"): "1"]

    /// The helper sends back by the interface by which it came, without saying each time that this is a detour. Any
    /// `rp_filter` will do, which a new namespace has from the first.
    static let helperSettings = [
        Sysctl(rawValue: "net/ipv4/ip_forward"): "1",
        Sysctl(rawValue: "net/ipv4/conf/all/send_redirects"): "0",
        Sysctl(rawValue: "net/ipv4/conf/\(helperInterface)/send_redirects"): "0",
    ]

    /// No addresses and router solicitations of IPv6 on either end. Nothing depends on it, and there may be no IPv6.
    static func noIPv6(_ interface: String) -> Sysctl {
        Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6")
    }
}

/// What the kernel holds of the detour's links.
package enum ObservedDetour: Hashable, Sendable {
    /// Nothing.
    case absent
    /// All that it takes.
    case intact
    /// Some of it, or something wrong: what, in words.
    case damaged([String])
    /// Nobody here may look, without CAP_SYS_ADMIN.
    case hidden
}
