package import SystemPackage

extension FileDescriptor {
    /// Reads everything from the current offset on. It serves files of `/proc`, whose size is not known in advance.
    package func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
                count = try read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if part.isEmpty { return bytes }
            bytes += part
        }
    }
}
