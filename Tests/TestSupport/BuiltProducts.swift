import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The executables that were built beside the tests.
package enum BuiltProducts {
    /// The folder of the running test bundle, into which `swift build` also puts the products.
    package static func path(_ name: String) throws -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let own = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard own > 0 else { throw Errno(rawValue: errno) }
        // Under `swift test` the process is a helper of the toolchain, and the bundle is one of its arguments.
        let candidates =
            [String(decoding: buffer.prefix(own).map(UInt8.init(bitPattern:)), as: UTF8.self)] + CommandLine.arguments
        let bundle = candidates.first { $0.hasSuffix(".xctest") } ?? ""
        let path = FilePath(bundle).removingLastComponent().appending(name).string
        guard access(path, X_OK) == 0 else { throw Missing(path: path) }
        return path
    }

    package struct Missing: Error, CustomStringConvertible {
        package var path: String
        package var description: String { "\(path) is not built; run `swift build` first" }
    }
}
