import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// What a service manager hears, by a socket with a path and by one of the abstract namespace.
@Suite struct ServiceManagerTests {
    /// A socket as systemd has it.
    private struct Manager: ~Copyable {
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)

        init(_ name: [UInt8]) throws {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(2 + name.count)
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
            }
            guard result == 0 else { throw Errno(rawValue: errno) }
        }

        deinit { close(descriptor) }

        func heard() -> String? {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
        }
    }

    @Test func aSocketWithAPathHearsOneDatagram() throws {
        try TemporaryDirectory.with { folder in
            let path = folder.appending("notify").string
            let manager = try Manager(Array(path.utf8) + [0])
            try #require(ServiceManager(socket: path)).tell("READY=1", "STATUS=fine")
            #expect(manager.heard() == "READY=1\nSTATUS=fine")
            #expect(manager.heard() == nil)
        }
    }

    @Test func anAbstractSocketHears() throws {
        let name = "meshctl-test-\(getpid())"
        let manager = try Manager([0] + Array(name.utf8))
        try #require(ServiceManager(socket: "@" + name)).tell("WATCHDOG=1")
        #expect(manager.heard() == "WATCHDOG=1")
    }

    @Test func nobodyListensAndNothingHappens() throws {
        try #require(ServiceManager(socket: "/nowhere/notify")).tell("READY=1")
        #expect(ServiceManager(socket: nil) == nil)
        #expect(ServiceManager(socket: "") == nil)
        #expect(ServiceManager(socket: "@") == nil)
        #expect(ServiceManager(socket: "vsock:2:1234") == nil)
        #expect(ServiceManager(socket: "/" + String(repeating: "a", count: 108)) == nil)
    }
}
