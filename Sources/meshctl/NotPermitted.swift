import SystemPackage

/// The process lacks CAP_NET_ADMIN. A command finds out before it reads or changes anything.
struct NotPermitted: Error, CustomStringConvertible {
    var description: String {
        "not permitted: to read and change the kernel's IPVS takes CAP_NET_ADMIN; run meshctl as root, with sudo"
    }

    /// Throws where the process has no CAP_NET_ADMIN in its own user namespace. The kernel may still refuse a process that
    /// has it, because IPVS wants the capability of the host's user namespace.
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
