import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension FilePath {
    /// Makes the folder and the folders above it, as far as they do not exist.
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
