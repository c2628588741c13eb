import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension FilePath {
    /// Opens a regular file for reading, and refuses everything else: opening a pipe could block for ever, and reading
    /// a device might never end.
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

/// Something other than a regular file has the name of the file.
struct NotRegular: Error, CustomStringConvertible {
    var description: String { "it is no regular file; remove what is there" }
}
