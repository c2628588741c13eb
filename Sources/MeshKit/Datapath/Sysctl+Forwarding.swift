import IPVSKit

/// Forwarding, which has a switch for all interfaces and one for each.
extension Sysctl {
    /// Whether an interface forwards what comes by it (IPv4), or is a router's (IPv6). `all` and `default` are none.
    static func forwarding(_ interface: String, _ family: AddressFamily) -> Self {
        Self(rawValue: "net/\(family == .ipv4 ? "ipv4" : "ipv6")/conf/\(interface)/forwarding")
    }

    /// The switch for all interfaces of a family.
    static func forwardingOfAll(_ family: AddressFamily) -> Self {
        family == .ipv4 ? .ipv4Forwarding : .ipv6Forwarding
    }

    /// Whether it is a switch for all interfaces, which the kernel copies to each.
    var switchesForwarding: Bool { forwardingFamily != nil }

    private var forwardingFamily: AddressFamily? {
        switch self {
        case .ipv4Forwarding: .ipv4
        case .ipv6Forwarding: .ipv6
        default: nil
        }
    }

    /// Whether it is about one interface's router advertisements.
    var isAboutRouterAdvertisements: Bool { rawValue.hasSuffix("/accept_ra") }

    /// The interface that it is about; nil for a setting of no interface.
    var interface: String? {
        let parts = rawValue.split(separator: "/")
        guard parts.count == 5, parts[0] == "net", parts[2] == "conf" || parts[2] == "neigh" else { return nil }
        return String(parts[3])
    }

    /// What a new interface has it from: `net/ipv4/conf/default/forwarding`. Nil for what is of no interface.
    var template: Sysctl? {
        guard let interface, interface != "default", interface != "all" else { return nil }
        return Sysctl(rawValue: rawValue.replacing("/\(interface)/", with: "/default/"))
    }

    /// What the kernel writes besides when this setting is written, of what is known: `inet_forward_change` and
    /// `addrconf_forward_change`. Only settings that then have another value than before.
    func consequences(of value: String, in current: [Sysctl: String]) -> [Sysctl: String] {
        guard let family = forwardingFamily, current[self] != value else { return [:] }
        var changed: [Sysctl: String] = [:]
        if family == .ipv4, current[.acceptRedirects] != nil { changed[.acceptRedirects] = value == "0" ? "1" : "0" }
        for sysctl in switches(in: current) { changed[sysctl] = value }
        return changed.filter { current[$0.key] != $0.value }
    }

    /// The switches of single interfaces, and of those to come, that the kernel sets when this one is written. None for a
    /// setting that switches no forwarding.
    func switches(in current: [Sysctl: String]) -> [Sysctl] {
        guard let family = forwardingFamily else { return [] }
        return current.keys.filter { sysctl in
            guard let interface = sysctl.interface, interface != "all" else { return false }
            return sysctl == .forwarding(interface, family)
        }
    }
}
