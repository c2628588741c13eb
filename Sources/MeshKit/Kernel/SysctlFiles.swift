import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Kernel settings of the namespace of the process, below `/proc/sys`.
struct SysctlFiles: Sendable {
    /// Nil where the kernel has no such setting.
    func read(_ sysctl: Sysctl) -> String? {
        guard let text = try? Self.contents(of: path(sysctl)) else { return nil }
        return text.split(separator: "\n").first.map(String.init) ?? ""
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

    /// Interfaces with a route from a router advertisement (`RTF_ADDRCONF`) that take advertisements only while
    /// they do not forward.
    func interfacesWithRouterAdvertisements() -> Set<String> {
        guard let routes = try? Self.contents(of: "/proc/net/ipv6_route") else { return [] }
        var interfaces: Set<String> = []
        for line in routes.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 10, let flags = UInt32(fields[8], radix: 16), flags & 0x0004_0000 != 0 else {
                continue
            }
            interfaces.insert(String(fields[9]))
        }
        return interfaces.filter { read(.acceptRouterAdvertisements($0)) == "1" }
    }

    private func path(_ sysctl: Sysctl) -> FilePath { FilePath("/proc/sys").appending(sysctl.rawValue) }

    private static func contents(of path: FilePath) throws -> String {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        return try file.closeAfter { String(decoding: try file.readToEnd(), as: UTF8.self) }
    }
}
