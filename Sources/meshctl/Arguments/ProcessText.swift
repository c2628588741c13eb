import ArgumentParser

#if canImport(Glibc)
    import Glibc
#endif

/// The arguments and environment variables of the process, checked to be UTF-8.
///
/// Swift silently replaces bytes that are not UTF-8, so that a command would use a folder of another name.
enum ProcessText {
    /// - Throws: `ValidationError` where an argument is not UTF-8.
    static func checkArguments() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else { continue }
            throw ValidationError("argument \(index), \(shown(bytes)), is not UTF-8; all arguments must be.")
        }
    }

    /// The value of an environment variable; nil if the variable is unset or empty.
    ///
    /// - Throws: `ValidationError` where it is not UTF-8.
    static func environment(_ name: String) throws -> String? {
        guard let bytes = getenv(name) else { return nil }
        guard let text = String(validatingCString: bytes) else {
            throw ValidationError("\(name) is \(shown(bytes)), which is not UTF-8; it must be.")
        }
        return text.isEmpty ? nil : text
    }

    private static func shown(_ bytes: UnsafePointer<CChar>) -> String { String(cString: bytes).debugDescription }
}
