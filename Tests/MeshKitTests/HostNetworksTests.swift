@testable import Netlink
import RuleKit
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// What of a namespace's addresses and routes counts as a network of the host.
@Suite struct HostNetworksTests {
    private static func link(_ index: Int32, _ name: String, group: UInt32 = 0, alias: String? = nil) -> NetworkLink {
        NetworkLink(index: index, name: name, flags: .up, alias: alias, group: group)
    }

    private static func address(
        _ bytes: [UInt8], _ length: Int, on interface: Int32
    ) -> Netlink.InterfaceAddress {
        Netlink.InterfaceAddress(interface: interface, address: bytes, prefixLength: length, scope: 0, flags: 0)
    }

    private static func route(
        _ bytes: [UInt8], _ length: Int, by interface: Int32?, type: UInt8 = 1, origin: UInt8 = 3
    ) -> NetworkRoute {
        NetworkRoute(
            family: UInt8(bytes.count == 16 ? AF_INET6 : AF_INET), destination: bytes, prefixLength: length,
            interface: interface, table: 254, type: type, scope: 0, origin: origin, priority: 0)
    }

    @Test func networksOfAddressesAndRoutes() {
        let host = HostNetworks(
            links: [Self.link(1, "lo"), Self.link(2, "eth0"), Self.link(3, "tun0")],
            addresses: [
                Self.address([127, 0, 0, 1], 8, on: 1), Self.address([192, 168, 5, 1], 24, on: 2),
                Self.address([0xFE, 0x80] + Array(repeating: 0, count: 13) + [1], 64, on: 2),
                Self.address([0xFD, 5] + Array(repeating: 0, count: 13) + [1], 64, on: 2),
            ],
            routes: [
                Self.route([], 0, by: 2), Self.route([0, 0, 0, 0], 1, by: 3), Self.route([128, 0, 0, 0], 1, by: 3),
                Self.route([10, 8, 0, 0], 16, by: 3), Self.route([192, 168, 5, 0], 24, by: 2),
                Self.route([10, 9, 0, 0], 16, by: nil), Self.route([10, 10, 0, 0], 16, by: 2, type: 2),
                Self.route([0xFF] + Array(repeating: 0, count: 15), 8, by: 2),
            ])
        #expect(
            host
                == HostNetworks(prefixes: [
                    "192.168.5.0/24": "eth0", "fd05::/64": "eth0", "10.8.0.0/16": "tun0", "10.9.0.0/16": "?",
                ]))
    }

    @Test func theMeshItselfIsLeftOut() {
        let host = HostNetworks(
            links: [
                Self.link(1, "br0", group: LivePlace.group), Self.link(2, "old", alias: ObservedLink.aliasPrefix + "x"),
                Self.link(3, "eth0"),
            ],
            addresses: [Self.address([172, 18, 0, 1], 16, on: 1), Self.address([172, 19, 0, 1], 16, on: 2)],
            routes: [
                Self.route([172, 18, 0, 0], 16, by: 1), Self.route([10, 9, 0, 0], 16, by: 3, origin: LivePlace.origin),
            ])
        #expect(host == HostNetworks())
    }

    private static func tunnel(
        _ index: Int32, _ identifier: UInt32, port: UInt16 = 4789, madeIn namespace: Int32? = nil, group: UInt32 = 0
    ) -> NetworkLink {
        var link = link(index, "vxlan\(index)", group: group)
        link.peerNamespace = namespace
        link.vxlan = VXLANSettings(identifier: identifier, port: port)
        return link
    }

    /// A tunnel belongs to the namespace in which it was made, wherever it is now.
    @Test func tunnelsThatOthersMadeHere() {
        var host = HostNetworks(
            links: [
                Self.tunnel(1, 42), Self.tunnel(2, 43, port: 8472), Self.tunnel(3, 44, madeIn: 0),
                Self.tunnel(4, 4096, group: LivePlace.group),
            ], addresses: [], routes: [])
        #expect(host.tunnels == [.init(42), .init(43, port: 8472)])

        let swarm = [
            Self.link(1, "lo"), Self.link(2, "br0"), Self.tunnel(3, 4096, madeIn: 1), Self.tunnel(4, 9, madeIn: 2),
            Self.tunnel(5, 10), Self.tunnel(6, 11, madeIn: 1, group: LivePlace.group),
        ]
        let addresses = [Self.address([10, 0, 0, 1], 24, on: 2)]
        let before = host
        host.add(tunnels: swarm, with: addresses, madeIn: 7, namespace: "/run/docker/netns/1-x")
        #expect(host == before, "none of them was made here")
        host.add(tunnels: swarm, with: addresses, madeIn: -1, namespace: "/run/docker/netns/1-x")
        #expect(host == before, "the node has no number there")
        host.add(tunnels: swarm, with: addresses, madeIn: 1, namespace: "/run/docker/netns/1-x")
        #expect(host.tunnels.subtracting(before.tunnels) == [.init(4096)])
        #expect(host.prefixes == ["10.0.0.0/24": "br0 in /run/docker/netns/1-x"])
    }

    @Test func filesThatKeepNamespaces() {
        #expect(
            NamespaceMount.keepers(
                in: """
                    22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
                    513 25 0:4 net:[4026532281] /run/docker/netns/1-xbufb4rgrg rw shared:300 - nsfs nsfs rw
                    514 25 0:4 net:[4026532290] /run/netns/a\\040b rw shared:301 - nsfs nsfs rw
                    515 25 0:4 net:[4026532281] /run/netns/again rw shared:301 - nsfs nsfs rw
                    516 25 0:4 mnt:[4026532400] /run/snapd/ns/x.mnt rw - nsfs nsfs rw

                    """) == ["/run/docker/netns/1-xbufb4rgrg", "/run/netns/a b"])
    }
}
