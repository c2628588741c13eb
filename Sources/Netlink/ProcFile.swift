package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Reads files to their end: those of `/proc` do not tell their size. Also the names in folders.
package enum ProcFile {
    /// The text of a file. A file below `/proc/thread-self/net` is that of the calling thread's network namespace.
    package static func text(_ path: FilePath) throws(Errno) -> String {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            return String(decoding: try file.closeAfter { try file.readToEnd() }, as: UTF8.self)
        } catch {
            throw error as? Errno ?? .ioError
        }
    }

    /// The names in a folder, without `.` and `..`.
    package static func names(in folder: FilePath) throws(Errno) -> [String] {
        guard let stream = opendir(folder.string) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            // At the end of the folder errno stays as it is.
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw Errno(rawValue: errno) }
        return names
    }
}
