import ArgumentParser

#if canImport(Glibc)
    import Glibc
#endif

/// Text that the process was given: arguments and environment variables.
///
/// Swift mends bytes that are not UTF-8 without a word, and a folder of another name would be used. So they are looked at
/// before.
enum ProcessText {
    /// - Throws: `ValidationError` where an argument is not UTF-8.
    static func checkArguments() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else { continue }
            throw ValidationError("argument \(index), \(shown(bytes)), is not UTF-8, which all arguments must be.")
        }
    }

    /// The value of an environment variable; nil where it is not set, or is empty.
    ///
    /// - Throws: `ValidationError` where it is not UTF-8.
    static func environment(_ name: String) throws -> String? {
        guard let bytes = getenv(name) else { return nil }
        guard let text = String(validatingCString: bytes) else {
            throw ValidationError("\(name) is \(shown(bytes)), which is not UTF-8, as it must be.")
        }
        return text.isEmpty ? nil : text
    }

    private static func shown(_ bytes: UnsafePointer<CChar>) -> String { String(cString: bytes).debugDescription }
}
