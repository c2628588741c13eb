#if canImport(Glibc)
    import Glibc
#endif

/// What `uname` says of the running kernel.
enum KernelName {
    /// `6.12.43+deb13-amd64`.
    static var release: String { withUnsafeBytes(of: name.release, text) }
    /// The number of the build and its date.
    static var version: String { withUnsafeBytes(of: name.version, text) }

    private static var name: utsname {
        var name = utsname()
        uname(&name)
        return name
    }

    private static func text(_ field: UnsafeRawBufferPointer) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
}
