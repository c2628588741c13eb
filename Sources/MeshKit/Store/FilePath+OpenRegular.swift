import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension FilePath {
    /// Opens a regular file to read it. Whatever else has the name, as a pipe or a device, would be waited for for ever, or
    /// never come to an end.
    func openRegularFile() throws -> FileDescriptor {
        let descriptor = try FileDescriptor.open(self, .readOnly, options: [.closeOnExec, .nonBlocking])
        var status = Glibc.stat()
        guard fstat(descriptor.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            try? descriptor.close()
            throw NotRegular()
        }
        return descriptor
    }
}

/// Something else than a file is where a file should be.
struct NotRegular: Error, CustomStringConvertible {
    var description: String { "it is no regular file; remove what is there" }
}
