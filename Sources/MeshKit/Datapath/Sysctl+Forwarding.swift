import IPVSKit

/// The settings of forwarding: one switch for all interfaces of a family, and one for each interface.
extension Sysctl {
    /// The switch of one interface: whether it forwards packets (IPv4), or behaves as a router's interface (IPv6).
    static func forwarding(_ interface: String, _ family: AddressFamily) -> Self {
        Self(rawValue: "net/\(family == .ipv4 ? "ipv4" : "ipv6")/conf/\(interface)/forwarding")
    }

    /// The switch for all interfaces of a family.
    static func forwardingOfAll(_ family: AddressFamily) -> Self {
        family == .ipv4 ? .ipv4Forwarding : .ipv6Forwarding
    }

    /// Whether this is the switch for all interfaces, whose value the kernel copies to each.
    var switchesForwarding: Bool { forwardingFamily != nil }

    private var forwardingFamily: AddressFamily? {
        switch self {
        case .ipv4Forwarding: .ipv4
        case .ipv6Forwarding: .ipv6
        default: nil
        }
    }

    /// Whether this setting says how an interface treats router advertisements.
    var isAboutRouterAdvertisements: Bool { rawValue.hasSuffix("/accept_ra") }

    /// The interface of the setting; nil for a setting that belongs to no interface.
    var interface: String? {
        let parts = rawValue.split(separator: "/")
        guard parts.count == 5, parts[0] == "net", parts[2] == "conf" || parts[2] == "neigh" else { return nil }
        return String(parts[3])
    }

    /// The setting from which a new interface copies its value, such as `net/ipv4/conf/default/forwarding`. Nil for a
    /// setting that belongs to no interface.
    var template: Sysctl? {
        guard let interface, interface != "default", interface != "all" else { return nil }
        return Sysctl(rawValue: rawValue.replacing("/\(interface)/", with: "/default/"))
    }

    /// The other settings that the kernel changes when this setting is written (`inet_forward_change`,
    /// `addrconf_forward_change`), with their new values. Only known settings whose values differ afterwards are
    /// included.
    func consequences(of value: String, in current: [Sysctl: String]) -> [Sysctl: String] {
        guard let family = forwardingFamily, current[self] != value else { return [:] }
        var changed: [Sysctl: String] = [:]
        if family == .ipv4, current[.acceptRedirects] != nil { changed[.acceptRedirects] = value == "0" ? "1" : "0" }
        for sysctl in switches(in: current) { changed[sysctl] = value }
        return changed.filter { current[$0.key] != $0.value }
    }

    /// The switches of all known interfaces, and of `default`, that the kernel sets when this setting is written. Empty
    /// for a setting that does not switch forwarding.
    func switches(in current: [Sysctl: String]) -> [Sysctl] {
        guard let family = forwardingFamily else { return [] }
        return current.keys.filter { sysctl in
            guard let interface = sysctl.interface, interface != "all" else { return false }
            return sysctl == .forwarding(interface, family)
        }
    }
}
