import SystemPackage
import TestSupport
import Testing

@testable import IPVSKit

@Suite struct NetworkNamespaceTests {
    @Test func theOwnIsOpened() throws {
        for namespace: NetworkNamespace in [.current, .pid(1), .path("/proc/self/ns/net")] {
            // The namespace of another process may belong to another user.
            do { _ = try IPVS(in: namespace) } catch { #expect(error.errno == .permissionDenied) }
        }
    }

    /// When the bind mount of a name of `ip netns` is gone, a file is left that is not a namespace.
    @Test func aFileThatIsNoNamespaceIsAnErrorAtOnce() throws {
        try TemporaryDirectory.with { folder in
            let stale = folder.appending("stale")
            try stale.write([])
            for path in [stale, "/proc/self/ns/mnt", folder.appending("absent")] {
                let error = #expect(throws: IPVSError.self) { try IPVS(in: .path(path)) }
                #expect(error?.code == .namespace)
            }
        }
    }
}
