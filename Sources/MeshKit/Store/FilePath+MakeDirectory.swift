import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension FilePath {
    /// Makes the folder, and the ones above it, where they are not there yet.
    func makeDirectory() throws(Errno) {
        if make() { return }
        let parent = removingLastComponent()
        guard errno == ENOENT, !parent.isEmpty, parent != self else { throw Errno(rawValue: errno) }
        try parent.makeDirectory()
        guard make() else { throw Errno(rawValue: errno) }
    }

    private func make() -> Bool {
        withPlatformString { mkdir($0, 0o755) } == 0 || errno == EEXIST
    }
}
