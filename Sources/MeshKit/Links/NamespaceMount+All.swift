import CNetlink
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceMount {
    /// The files by which process 1 sees network namespaces kept: those that `ip netns` lists, those of containers, and
    /// those that Docker has for its networks. A namespace that several files keep is listed once.
    ///
    /// - Parameter anywhere: any network namespace, in which the thread can work.
    static func all(from anywhere: NamespaceHandle) async throws -> [String] {
        try await inFirstProcess("list the network namespaces", anywhere) { () throws(Errno) in
            // The thread's own: /proc/self is the process, which may be elsewhere.
            keepers(in: try ProcFile.text("/proc/thread-self/mountinfo"))
        }
    }

    /// Opens a namespace by the file that keeps it; nil if it is gone.
    static func handle(of path: String, from anywhere: NamespaceHandle) async throws -> NamespaceHandle? {
        try await inFirstProcess("open the network namespace \(path)", anywhere) { () throws(Errno) in
            do throws(Errno) {
                let handle = try NamespaceHandle(path: FilePath(path))
                return CNetlink_is_network_namespace(handle.descriptor.rawValue) == 1 ? handle : nil
            } catch .noSuchFileOrDirectory {
                return nil
            }
        }
    }

    /// The files that keep network namespaces, from the text of `/proc/PID/mountinfo`: the first of each namespace.
    static func keepers(in mounts: String) -> [String] {
        var seen: Set<Substring> = []
        return mounts.split(separator: "\n").compactMap { line in
            // ID, parent, device, root, mount point: the root of such a mount is the namespace, `net:[4026532281]`.
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[3].hasPrefix("net:["), seen.insert(fields[3]).inserted else { return nil }
            return unescaped(fields[4])
        }
    }

    /// The kernel writes spaces, tabs, line feeds and backslashes as octal numbers, `\\040`.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let number = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(number)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
