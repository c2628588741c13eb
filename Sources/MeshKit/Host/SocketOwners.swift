import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Finds the processes that have given sockets open.
enum SocketOwners {
    /// The owner of each socket whose owner can be seen. Only root can see the files of other users' processes.
    ///
    /// If several processes share a socket, as a server's workers share their parent's, the one with the lowest process
    /// id counts as the owner. Process 1 is considered last, because it opens sockets for others and keeps them.
    static func find(_ inodes: Set<UInt64>) -> [UInt64: Listener.Process] {
        guard !inodes.isEmpty else { return [:] }
        var owners: [UInt64: Int32] = [:]
        let pids = ((try? ProcFile.names(in: "/proc")) ?? []).compactMap { Int32($0) }.sorted()
        for pid in pids.filter({ $0 != 1 }) + [1] {
            // A process that has ended meanwhile has no files.
            for file in (try? ProcFile.names(in: FilePath("/proc/\(pid)/fd"))) ?? [] {
                guard let inode = socket(at: "/proc/\(pid)/fd/\(file)"), inodes.contains(inode) else { continue }
                if owners[inode] == nil { owners[inode] = pid }
            }
            if owners.count == inodes.count { break }
        }
        return owners.compactMapValues { pid in
            name(of: pid).map { Listener.Process(pid: pid, name: $0) }
        }
    }

    /// The inode number in a link `socket:[12345]`.
    private static func socket(at path: String) -> UInt64? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
        guard count > 0 else { return nil }
        let target = String(decoding: buffer[..<count], as: UTF8.self)
        guard target.hasPrefix("socket:["), target.hasSuffix("]") else { return nil }
        return UInt64(target.dropFirst("socket:[".count).dropLast())
    }

    private static func name(of pid: Int32) -> String? {
        (try? ProcFile.text(FilePath("/proc/\(pid)/comm"))).map { String($0.prefix { !$0.isNewline }) }
    }
}
