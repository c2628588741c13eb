import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// One of the two programs that are called iptables: legacy, which writes the kernel's old tables, and nft, which
/// writes nftables. Their rules exist side by side, and neither program shows those of the other.
struct IPTablesVariant: Hashable, Sendable {
    enum Kind: Hashable { case legacy, nft }

    let kind: Kind
    /// The part of a program's name between `iptables` and `-save`: `-nft`, `-legacy` or nothing.
    let infix: String

    /// The variant of the host's own `iptables`, recognised by the program to which the name leads, so that usually no
    /// program has to be run. Nil without iptables.
    ///
    /// - Parameter version: runs `iptables --version`, if the program's name does not show the variant.
    static func ofHost(version: (_ program: String) async -> String) async -> IPTablesVariant? {
        guard let program = path(of: "iptables-restore"), let real = resolved(program) else { return nil }
        let name = real.lastComponent?.string ?? ""
        let isNFT: Bool
        if name.contains("nft") {
            isNFT = true
        } else if name.contains("legacy") || name == "xtables-multi" {
            isNFT = false
        } else {
            isNFT = await version("iptables").contains("nf_tables")
        }
        return IPTablesVariant(kind: isNFT ? .nft : .legacy, infix: "")
    }

    /// The other variants that are installed, by the names that contain the variant.
    static func others(than host: IPTablesVariant?) -> [IPTablesVariant] {
        [IPTablesVariant(kind: .nft, infix: "-nft"), IPTablesVariant(kind: .legacy, infix: "-legacy")]
            .filter { $0.kind != host?.kind && path(of: "iptables\($0.infix)-restore") != nil }
    }

    private static func path(of program: String) -> FilePath? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? ""
        return folders.split(separator: ":").lazy.map { FilePath(String($0)).appending(program) }
            .first { access($0.string, X_OK) == 0 }
    }

    private static func resolved(_ path: FilePath) -> FilePath? {
        guard let text = realpath(path.string, nil) else { return nil }
        defer { free(text) }
        return FilePath(String(cString: text))
    }

    /// Whether tables of this variant can exist. Call this in the namespace. It only reads files, because running the
    /// tool would load the kernel's modules.
    var mayHaveTables: Bool {
        switch kind {
        case .legacy: return LegacyTables.mayExist()
        case .nft:
            return Self.mayHaveNFTables(
                loaded: "/proc/modules",
                installed: FilePath("/lib/modules").appending(KernelName.release).appending("modules.dep"))
        }
    }

    /// Whether tables of nftables can exist.
    ///
    /// - Parameters:
    ///   - loaded: the file that lists the modules which are loaded. If it cannot be read, there can be tables.
    ///   - installed: the file that lists the modules which could be loaded.
    static func mayHaveNFTables(loaded: FilePath, installed: FilePath) -> Bool {
        guard let loaded = try? ProcFile.text(loaded) else { return true }
        if loaded.hasPrefix("nf_tables ") || loaded.contains("\nnf_tables ") { return true }
        // nf_tables is not loaded. If it is not a module either, it is built in or missing, and running the tool loads
        // nothing.
        return !((try? ProcFile.text(installed)) ?? "").contains("/nf_tables.ko")
    }
}
