import SystemPackage

/// An open file of the kernel that is read in parts or written to, closed with its last reference.
final class KernelFile: Sendable {
    private let descriptor: FileDescriptor

    init(_ path: FilePath, _ mode: FileDescriptor.AccessMode = .readOnly) throws(Errno) {
        descriptor = try Self.errno { try FileDescriptor.open(path, mode, options: .closeOnExec) }
    }

    deinit { try? descriptor.close() }

    /// Reads the next bytes, about `count` unless the file ends before; none at the end.
    ///
    /// The loop is needed because one read of a file below `/proc/net` returns at most a page, however large the buffer
    /// is.
    func read(upTo count: Int) throws(Errno) -> [UInt8] {
        try Self.errno {
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                while filled < count {
                    let rest = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[filled...]))
                    let read = try descriptor.read(into: rest)
                    if read == 0 { break }
                    filled += read
                }
            }
        }
    }

    func write(_ text: String) throws(Errno) {
        // All bytes go into one write, because the kernel takes each write as a value of its own.
        let bytes = Array(text.utf8)
        let written = try Self.errno { try bytes.withUnsafeBytes { try descriptor.write($0) } }
        guard written == bytes.count else { throw .ioError }
    }

    private static func errno<Value>(_ body: () throws -> Value) throws(Errno) -> Value {
        do {
            return try body()
        } catch {
            throw error as? Errno ?? .ioError
        }
    }
}
