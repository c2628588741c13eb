import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The kernel settings below `/proc/sys`, in the network namespace of the calling thread.
struct SysctlFiles: Sendable {
    /// The value of a setting; nil if the kernel has no such setting, or it cannot be read.
    func read(_ sysctl: Sysctl) -> String? { reading(sysctl).value }

    /// The value of a setting, or the reason why it cannot be read. The two must not be confused: a process without a
    /// free descriptor must not conclude that the kernel lacks a setting.
    func reading(_ sysctl: Sysctl) -> Reading<String> {
        do throws(Errno) {
            let text = try ProcFile.text(path(sysctl))
            return .known(text.split(separator: "\n").first.map(String.init) ?? "")
        } catch {
            return error == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)")
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

    /// The names of the interfaces that have settings of a family, including `all` and `default`.
    func interfaces(_ family: AddressFamily) throws(Errno) -> Set<String> {
        Set(try ProcFile.names(in: FilePath("/proc/sys/net/\(family == .ipv4 ? "ipv4" : "ipv6")/conf")))
    }

    private func path(_ sysctl: Sysctl) -> FilePath { FilePath("/proc/sys").appending(sysctl.rawValue) }
}
