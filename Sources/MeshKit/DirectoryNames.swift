import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The names in a folder, `.` and `..` among them.
func names(in directory: String) throws(Errno) -> [String] {
    guard let stream = opendir(directory) else { throw Errno(rawValue: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(
            withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
}
