import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The executables that were built beside the tests.
package enum BuiltProducts {
    /// The path of an executable in the folder of the running test bundle, into which `swift build` also puts the
    /// products. `MESHCTL_PROGRAM` names another meshctl to test, such as the one that `make release` builds.
    package static func path(_ name: String) throws -> String {
        if name == "meshctl", let program = getenv("MESHCTL_PROGRAM").map({ String(cString: $0) }) {
            guard access(program, X_OK) == 0 else { throw Missing(path: program) }
            return program
        }
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
