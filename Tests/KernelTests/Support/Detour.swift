import IPVSKit
import MeshKit
import SystemPackage
import TestSupport

extension TestNamespace {
    /// The detour's links on this node.
    var detour: DetourLinks { DetourLinks(in: .named(name)) }

    /// The helper's namespace, by the name that `ip netns` knows it by.
    func helper() throws -> TestNamespace {
        TestNamespace(name: try detour.namespacePath().lastComponent!.string)
    }

    /// The detour's rules, by hand: out to the helper, and back from there as an ordinary client.
    func typeDetourRules(ports: [(transport: String, port: Int)]) async throws {
        let (near, far) = (LoopbackDetour.nodeAddress, LoopbackDetour.helperAddress)
        for (transport, port) in ports {
            try await iptables(
                "-A OUTPUT -d 127.0.0.0/8 -p \(transport) --dport \(port) -j DNAT --to-destination \(far)")
        }
        try await iptables("-A POSTROUTING -s 127.0.0.0/8 -o \(LoopbackDetour.interface) -j MASQUERADE")
        let helper = try helper()
        try await helper.iptables("-A PREROUTING -s \(near) -j DNAT --to-destination \(near)")
        try await helper.iptables("-A POSTROUTING -d \(near) -j SNAT --to-source \(far)")
    }

    /// Whether a packet gets to an address and one comes back: nobody listens there.
    func reaches(_ address: IPAddress) async throws -> Bool {
        try await get(address, port: 9, count: 1) == ["Connection refused"]
    }

    /// A rule of the table nat.
    func iptables(_ rule: String) async throws {
        try await check(["iptables", "-t", "nat"] + rule.split(separator: " ").map(String.init))
    }

    /// All that the detour's links could have changed here, and what names there are for namespaces.
    func linkText() async throws -> String {
        try await check(
            "sh", "-c",
            """
            ls /proc/sys/net/ipv4/conf; ip -4 -o address; ip -4 route show table all
            cat /proc/1/mounts; ls /run/netns
            """)
    }
}
