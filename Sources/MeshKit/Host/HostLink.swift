import Netlink

/// What the survey asks of an interface.
struct HostLink: Hashable, Sendable {
    /// Whether other hosts may be behind the interface: it is switched on, so that it has routes, and it is neither the
    /// loopback interface nor a dummy, which only has addresses.
    var hasHosts = true
    /// The name of the VRF that the interface belongs to; nil if it belongs to none.
    var vrf: String?
}

extension HostLink {
    /// An interface that cannot be looked at is taken for an ordinary one.
    init(_ link: NetworkLink?) {
        guard let link else { return }
        hasHosts = link.flags.contains(.up) && link.name != "lo" && link.kind != "dummy"
        if link.masterKind == "vrf" { vrf = link.master.flatMap { interfaceName($0) } }
    }
}
