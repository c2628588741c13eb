import Netlink

/// What the survey asks of an interface.
struct HostLink: Hashable, Sendable {
    /// Whether the interface is switched on. Nobody is behind one that is not, and routes through it are gone.
    var isUp = true
    /// The name of the VRF that the interface belongs to; nil if it belongs to none.
    var vrf: String?
}

extension HostLink {
    /// An interface that cannot be looked at is taken for an ordinary one.
    init(_ link: NetworkLink?) {
        guard let link else { return }
        isUp = link.flags.contains(.up)
        if link.masterKind == "vrf" { vrf = link.master.flatMap { interfaceName($0) } }
    }
}
