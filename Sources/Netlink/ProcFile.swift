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
            return try file.closeAfter {
                var bytes: [UInt8] = []
                while true {
                    let part = try [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
                        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    if part.isEmpty { return String(decoding: bytes, as: UTF8.self) }
                    bytes += part
                }
            }
        } catch let error as Errno {
            throw error
        } catch {
            throw .ioError
        }
    }

    /// The names in a folder, without `.` and `..`.
    package static func names(in folder: FilePath) throws(Errno) -> [String] {
        guard let stream = opendir(folder.string) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
