package import IPVSKit
package import IPVSKitTesting
package import MeshKit
import RuleKit

/// What the fake kernel holds of one network namespace.
package struct FakeNamespace: Sendable {
    /// An interface.
    package struct Interface: Sendable {
        package init(index: Int32, kind: String? = nil, hardwareAddress: HardwareAddress) {
            self.index = index
            self.kind = kind
            self.hardwareAddress = hardwareAddress
        }

        package var index: Int32
        package var kind: String?
        package var alias: String?
        package var isInOurGroup = false
        package var hardwareAddress: HardwareAddress
        package var isUp = false
        /// The namespace and the name of the other end.
        package var peer: (namespace: String, name: String)?
        package var addresses: Set<InterfacePrefix> = []
        /// Whether somebody has removed the IPv6 link-local address.
        package var lacksLinkLocal = false
        /// The IPv4 addresses among them that joined another one in its network.
        package var secondaryAddresses: Set<InterfacePrefix> = []
        package var routes: Set<Route> = []
        /// The routes that the mesh has added, some of which may be gone.
        package var ours: Set<Route> = []
        package var neighbours: [IPAddress: HardwareAddress] = [:]
        /// The settings of a VXLAN interface, with its forwarding database.
        package var vxlan: VXLAN?
        /// The namespace in which a VXLAN interface was made.
        package var birthplace: String?
        package var forwarding: [HardwareAddress: IPAddress] = [:]
        package var bridge: String?
        package var isIsolated = false
        package var mtu: UInt32 = 1500
    }

    package var interfaces: [String: Interface] = [:]
    package var sysctls: [Sysctl: String] = [:]
    package var routingRules: Set<RoutingRule> = []
    package var rules: [RuleTool: FakeRuleContent] = [:]
    package let ipvs = FakeIPVS()
    /// What somebody else changes the IPVS table by.
    package var client: IPVS { ipvs.client }

    /// A namespace as the kernel makes it.
    init() {
        for (sysctl, value) in [
            (.ipv4Forwarding, "0"), (.ipv6Forwarding, "0"), (.acceptRedirects, "1"), (.reservedPorts, ""),
            (.ipvsConntrack, "0"), (.expireNoDestination, "0"), (.expireQuiescentTemplate, "0"),
            (.connectionReuse, "1"), (Sysctl(rawValue: "net/ipv4/conf/all/send_redirects"), "1"),
        ] as [(Sysctl, String)] {
            sysctls[sysctl] = value
        }
        add(settingsOf: "default", forwarding: "0")
        add(settingsOf: "lo", forwarding: "0")
    }

    /// The settings that an interface brings.
    package mutating func add(settingsOf interface: String, forwarding: String? = nil) {
        for (family, more) in [
            ("ipv4", ["send_redirects": "1", "route_localnet": "0", "rp_filter": "0"]),
            ("ipv6", ["disable_ipv6": "0", "accept_ra": "1", "accept_dad": "1"]),
        ] {
            let common = ["forwarding": forwarding ?? sysctls[setting(family, "default", "forwarding")] ?? "0"]
            for (name, value) in more.merging(common, uniquingKeysWith: { $1 }) {
                sysctls[setting(family, interface, name)] = value
            }
        }
    }

    mutating func remove(settingsOf interface: String) {
        for family in ["ipv4", "ipv6"] {
            let prefix = "net/\(family)/conf/\(interface)/"
            for sysctl in sysctls.keys where sysctl.rawValue.hasPrefix(prefix) { sysctls[sysctl] = nil }
        }
    }

    private func setting(_ family: String, _ interface: String, _ name: String) -> Sysctl {
        Sysctl(rawValue: "net/\(family)/conf/\(interface)/\(name)")
    }

    /// What the kernel does on a write: the switch of all interfaces is copied to each.
    package mutating func write(_ value: String, to sysctl: Sysctl) {
        let isNew = sysctls[sysctl] != value
        sysctls[sysctl] = value
        guard isNew else { return }
        for name in interfaces.keys where sysctl == setting("ipv6", name, "disable_ipv6") {
            interfaces[name]!.lacksLinkLocal = value != "0"
            guard value != "0" else { continue }
            interfaces[name]!.addresses = interfaces[name]!.addresses.filter { $0.address.family == .ipv4 }
            interfaces[name]!.neighbours = interfaces[name]!.neighbours.filter { $0.key.family == .ipv4 }
            interfaces[name]!.routes = interfaces[name]!.routes.filter { $0.destination.family == .ipv4 }
        }
        let family: String
        switch sysctl {
        case .ipv4Forwarding:
            family = "ipv4"
            sysctls[.acceptRedirects] = value == "0" ? "1" : "0"
        case .ipv6Forwarding: family = "ipv6"
        default: return
        }
        for interface in interfaces.keys + ["default", "lo"] {
            sysctls[setting(family, interface, "forwarding")] = value
        }
    }
}
