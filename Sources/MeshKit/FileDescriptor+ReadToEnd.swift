import SystemPackage

extension FileDescriptor {
    /// Everything from the current offset on; for files of `/proc`, whose size is not known before.
    func readToEnd() throws -> [UInt8] {
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
