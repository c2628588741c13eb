import FoundationEssentials
import Netlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A folder for one test, deleted after it.
package enum TemporaryDirectory {
    package static func with<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
        let path = try make()
        defer { remove(path) }
        return try body(path)
    }

    package static func with<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
        let path = try make()
        defer { remove(path) }
        return try await body(path)
    }

    private static func make() throws -> FilePath {
        var template = Array("/tmp/meshctl-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        return FilePath(platformString: template)
    }

    private static func remove(_ path: FilePath) {
        try? FileManager.default.removeItem(atPath: path.string)
    }
}

extension FilePath {
    /// The whole file as text.
    package func text() throws -> String {
        String(decoding: try bytes(), as: UTF8.self)
    }

    /// The whole file.
    package func bytes() throws -> [UInt8] {
        let file = try FileDescriptor.open(self, .readOnly)
        return try file.closeAfter { try file.readToEnd() }
    }

    /// Makes or replaces the file.
    package func write(_ text: String) throws {
        try write(Array(text.utf8))
    }

    /// Makes or replaces the file.
    package func write(_ bytes: [UInt8]) throws {
        let file = try FileDescriptor.open(
            self, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite, .groupRead, .otherRead])
        _ = try file.closeAfter { try file.writeAll(bytes) }
    }
}
