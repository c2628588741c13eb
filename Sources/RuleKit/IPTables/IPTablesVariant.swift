import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The two programs that are called iptables: one that writes the kernel's old tables, and one that writes nftables.
/// Their rules live side by side, unseen by each other.
struct IPTablesVariant: Hashable, Sendable {
    enum Kind: Hashable { case legacy, nft }

    let kind: Kind
    /// What stands between `iptables` and `-save` in the programs' names.
    let infix: String

    /// What the host's own `iptables` is, told by the program that it leads to, so that none has to be run. Nil where
    /// there is none.
    ///
    /// - Parameter version: runs `iptables --version`, for names that say nothing.
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

    /// The others that are installed, by the names that say which they are.
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

    /// Whether there can be tables of this kind. To be called in the namespace. Looks at files only: asking the tool
    /// would load the kernel's modules.
    var mayHaveTables: Bool {
        switch kind {
        case .legacy:
            return ["ip_tables_names", "ip6_tables_names"].contains {
                Self.text(of: "/proc/thread-self/net/\($0)") != ""
            }
        case .nft:
            // Not a module: built in, or missing, and asking loads nothing.
            let loaded = Self.text(of: "/proc/modules")
            if loaded.hasPrefix("nf_tables ") || loaded.contains("\nnf_tables ") { return true }
            var system = utsname()
            uname(&system)
            let release = withUnsafeBytes(of: system.release) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            return !Self.text(of: "/lib/modules/\(release)/modules.dep").contains("/nf_tables.ko")
        }
    }

    /// The text of a file; empty where there is none.
    private static func text(of path: String) -> String {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return "" }
        defer { try? file.close() }
        var bytes: [UInt8] = []
        let part = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { part.deallocate() }
        while let count = try? file.read(into: part), count > 0 { bytes += part[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
