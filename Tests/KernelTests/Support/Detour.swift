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

    /// Whether a packet gets to an address and one comes back: nobody listens there.
    func reaches(_ address: IPAddress) async throws -> Bool {
        try await get(address, port: 9, count: 1) == ["Connection refused"]
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
