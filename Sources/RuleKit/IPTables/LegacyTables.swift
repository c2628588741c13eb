package import IPVSKit
import Netlink
package import SystemPackage

/// The kernel's own list of the tables of legacy iptables (`/proc/net/ip_tables_names`), in the network namespace of the
/// calling thread. Running a program of iptables would load the kernel's modules; reading the list does not.
package enum LegacyTables {
    /// Where the kernel has the lists.
    static let folder: FilePath = "/proc/thread-self/net"

    /// The names of the tables of a family. None if the kernel has no such tables at all.
    package static func names(_ family: AddressFamily) throws(Errno) -> [String] { try names(family, in: folder) }

    /// Whether there can be tables of either family. A list that cannot be read may have some.
    static func mayExist(in folder: FilePath = Self.folder) -> Bool {
        AddressFamily.allCases.contains { family in
            guard let found = try? names(family, in: folder) else { return true }
            return !found.isEmpty
        }
    }

    static func names(_ family: AddressFamily, in folder: FilePath) throws(Errno) -> [String] {
        let name = family == .ipv4 ? "ip_tables_names" : "ip6_tables_names"
        do throws(Errno) {
            let text = try ProcFile.text(folder.appending(name))
            return text.split(separator: "\n").map(String.init)
        } catch  where error == .noSuchFileOrDirectory {
            return []
        }
    }
}
