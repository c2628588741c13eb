import IPVSKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Kernel settings of the namespace of the process, below `/proc/sys`.
struct SysctlFiles: Sendable {
    /// Nil where the kernel has no such setting, or nobody can read it.
    func read(_ sysctl: Sysctl) -> String? { reading(sysctl).value }

    /// What a setting is, and why it cannot be read where it can not: a process without a free descriptor must not take
    /// a setting for one that the kernel has not.
    func reading(_ sysctl: Sysctl) -> Reading<String> {
        do {
            let text = try Self.contents(of: path(sysctl))
            return .known(text.split(separator: "\n").first.map(String.init) ?? "")
        } catch {
            return error as? Errno == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)")
        }
    }

    func write(_ value: String, to sysctl: Sysctl) throws(Errno) {
        do {
            let file = try FileDescriptor.open(path(sysctl), .writeOnly, options: .closeOnExec)
            _ = try file.closeAfter { try file.writeAll((value + "\n").utf8) }
        } catch let error as Errno {
            throw error
        } catch {
            throw .ioError
        }
    }

    /// The interfaces that have settings of a family, `all` and `default` among them.
    func interfaces(_ family: AddressFamily) throws(Errno) -> Set<String> {
        Set(try names(in: "/proc/sys/net/\(family == .ipv4 ? "ipv4" : "ipv6")/conf").filter { $0 != "." && $0 != ".." })
    }

    private func path(_ sysctl: Sysctl) -> FilePath { FilePath("/proc/sys").appending(sysctl.rawValue) }

    private static func contents(of path: FilePath) throws -> String {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        return try file.closeAfter { String(decoding: try file.readToEnd(), as: UTF8.self) }
    }
}
