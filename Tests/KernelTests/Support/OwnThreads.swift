import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The threads of this process, and the network namespace that each is in, as `/proc` shows it.
func ownThreads() throws -> [String: String] {
    var threads: [String: String] = [:]
    for name in try ProcFile.names(in: "/proc/self/task") {
        // A thread that ends meanwhile has none.
        threads[name] = link(at: "/proc/self/task/\(name)/ns/net")
    }
    return threads
}

/// How many files of such a name this process has open.
func openFiles(named name: String) throws -> Int {
    try ProcFile.names(in: "/proc/self/fd").count { link(at: "/proc/self/fd/\($0)")?.hasSuffix("/\(name)") == true }
}

/// What this process has open, as the kernel names it: a path, `socket:[…]`, `net:[…]`, `anon_inode:[eventfd]`.
func openDescriptors() throws -> [String] {
    try ProcFile.names(in: "/proc/self/fd").compactMap { link(at: "/proc/self/fd/\($0)") }
}

/// The generic netlink sockets that this process has open, by descriptor.
func genericNetlinkSockets() throws -> Set<CInt> {
    Set(
        try ProcFile.names(in: "/proc/self/fd").compactMap { CInt($0) }.filter { descriptor in
            func option(_ name: CInt) -> CInt? {
                var value: CInt = 0
                var length = socklen_t(MemoryLayout<CInt>.size)
                return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
            }
            return option(SO_DOMAIN) == AF_NETLINK && option(SO_PROTOCOL) == 16  // NETLINK_GENERIC
        })
}

/// Whether it comes true within five seconds: what a thread holds goes when it ends, a moment after its work.
func soon(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<500 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return try await condition()
}

private func link(at path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
}
