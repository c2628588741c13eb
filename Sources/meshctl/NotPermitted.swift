import SystemPackage

/// The user cannot do this; said before anything is looked at or touched.
struct NotPermitted: Error, CustomStringConvertible {
    var description: String {
        "not permitted: it takes CAP_NET_ADMIN to read and change the kernel's IPVS; run it as root, with sudo"
    }

    /// Whether this process has CAP_NET_ADMIN, of whichever user namespace: the kernel has the last word.
    static func check() throws {
        let capNetAdmin: UInt64 = 1 << 12
        guard let file = try? FileDescriptor.open("/proc/self/status", .readOnly, options: .closeOnExec) else { return }
        let text = try file.closeAfter {
            try withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) { buffer in
                String(decoding: buffer[..<(try file.read(into: buffer))], as: UTF8.self)
            }
        }
        let effective = text.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
            .flatMap { $0.split(separator: "\t").last }.flatMap { UInt64($0, radix: 16) }
        guard let effective, effective & capNetAdmin == 0 else { return }
        throw NotPermitted()
    }
}
