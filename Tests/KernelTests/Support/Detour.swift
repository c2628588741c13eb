import IPVSKit
import MeshKit
import SystemPackage
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

extension TestNamespace {
    /// The detour's namespace, by the name that meshctl gives it: after the inode of this one.
    func helper() throws -> TestNamespace {
        var status = stat()
        guard stat("/run/netns/\(name)", &status) == 0 else { throw Errno(rawValue: errno) }
        return TestNamespace(name: LoopbackDetour.namespaceName(nodeInode: UInt64(status.st_ino)))
    }

    /// What there is of the detour: its name below `/run/netns`, and its interface on this node.
    func detourParts() async throws -> [String] {
        let helper = try helper().name
        let names = try await Shell.check("ls", "/run/netns").split(separator: "\n").filter { $0 == helper }
        let interfaces = try await check("ls", "/proc/sys/net/ipv4/conf").split(separator: "\n").filter {
            $0 == LoopbackDetour.interface
        }
        return (names + interfaces).map(String.init)
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
