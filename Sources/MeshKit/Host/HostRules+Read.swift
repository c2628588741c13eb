import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension HostRules {
    /// Reads the rules in the namespace of the process. The rules of nftables are read within this process, whichever
    /// program made them. Legacy iptables is asked only if the kernel says that it has tables of it.
    ///
    /// - Parameter folders: the folders in which `iptables-legacy-save` is looked for after those of `PATH`, which may
    ///   lack the folders of an administrator's programs.
    package static func read(folders: [String] = ["/usr/sbin", "/sbin", "/usr/local/sbin"]) async -> HostRules {
        var unread: [String] = []
        // Whatever takes a namespace that cannot be opened is not known.
        let here = try? NetworkNamespace.current.open()
        let tables = here.map { NFTTables(in: $0) }
        let (nft, details) = await nftables(tables, &unread)
        var legacy: [AddressFamily: String] = [:]
        var programs: [AddressFamily: String] = [:]
        for family in AddressFamily.allCases {
            do {
                (legacy[family], programs[family]) = try await Self.legacy(family, in: folders)
            } catch {
                unread.append("\(error)")
            }
        }
        // Without a namespace the rules of nftables are not known either, which says enough.
        if let here { unread += await Self.programs(RouteClient(in: here)) }
        return HostRules(
            iptables: legacy[.ipv4], ip6tables: legacy[.ipv6], nft: nft,
            details: details, programs: programs, sets: tables.map { KernelSets(tables: $0) },
            interfaces: interfaces(), unread: unread)
    }

    /// The names of all interfaces; nil if the kernel does not tell.
    private static func interfaces() -> Set<String>? {
        guard let list = if_nameindex() else { return nil }
        defer { if_freenameindex(list) }
        var names: Set<String> = []
        var entry = list
        while let name = entry.pointee.if_name {
            names.insert(String(cString: name))
            entry += 1
        }
        return names
    }

    // MARK: nftables

    /// One JSON text for each family that has tables, nil if the tables could not be read; and what the texts do not
    /// tell.
    private static func nftables(
        _ tables: NFTTables?, _ unread: inout [String]
    ) async -> (texts: [String]?, details: NFTRuleset.Details) {
        var details = NFTRuleset.Details()
        do {
            guard let tables else { throw Errno.permissionDenied }
            // A family is not listed if it has only our own table, which is large.
            let foreign = try await tables.names().filter { $0 != OwnRules.table }
            let families = Dictionary(grouping: foreign) { String($0.prefix { $0 != " " }) }
            var texts: [String] = []
            for (family, names) in families.sorted(by: { $0.key < $1.key }) {
                let text = try await NFTablesRuleset.json(family)
                for name in names {
                    if NFTRuleset.Details.needsExtensions(text) {
                        details.extensions[name] = try await tables.extensions(of: name)
                    }
                    if NFTRuleset.Details.needsDevices(text) {
                        details.devices[name] = try await tables.devices(of: name)
                    }
                }
                texts.append(text)
            }
            return (texts, details)
        } catch let error as RuleError {
            unread.append("the rules of nftables: \(error.reason)")
        } catch let error as NetlinkError {
            unread.append("the rules of nftables: \(error.errno.map { "\($0)" } ?? "\(error)")")
        } catch {
            unread.append("the rules of nftables: \(error)")
        }
        return (nil, details)
    }

    // MARK: Programs

    /// The programs that see packets before any rule does, of which only the places are known; or that these are not
    /// known either.
    static func programs(_ routes: RouteClient) async -> [String] {
        let programs: [InterfaceProgram]
        do throws(NetlinkError) {
            programs = try await routes.programs()
        } catch {
            return ["the programs of XDP and tc, which see packets before any rule does: \(error)"]
        }
        return programs.map { program in
            let interface = interfaceName(program.interface) ?? "interface \(program.interface)"
            return switch program.kind {
            case .xdp: "the XDP program of \(interface), which sees packets before any rule does"
            case .tc: "the filters of tc at \(interface) (tc filter show dev \(interface) ingress)"
            }
        }
    }

    // MARK: Legacy iptables

    private struct Unread: Error, CustomStringConvertible { var description: String }

    /// The output of iptables-save for the kernel's legacy tables, empty if there are none; and the program that
    /// changes them, if the host's own `iptables` may be the other variant.
    private static func legacy(
        _ family: AddressFamily, in folders: [String]
    ) async throws -> (text: String, program: String?) {
        let name = family == .ipv4 ? "iptables" : "ip6tables"
        let tables: [String]
        do throws(Errno) {
            tables = try LegacyTables.names(family).sorted()
        } catch {
            throw Unread(description: "the rules of legacy \(name): the kernel's list of their tables: \(error)")
        }
        guard !tables.isEmpty else { return ("", nil) }

        let what = "the rules of legacy \(name) (\(tables.joined(separator: ", ")))"
        var reason = "\(name)-legacy-save is neither in PATH nor in \(folders.joined(separator: ", "))"
        for program in programs("\(name)-legacy-save", folders) + programs("\(name)-save", folders) {
            let ran = try? await HostProgram([program.string]).run(deadline: .seconds(30), "read \(what)")
            guard let ended = ran ?? nil, ended.isSuccess else {
                reason = "\(program) fails"
                continue
            }
            let text = ended.output
            // The nft variant shows other tables with the same names.
            if text.contains("(nf_tables)") { continue }
            let shown = Set(text.split(separator: "\n").filter { $0.hasPrefix("*") }.map { String($0.dropFirst()) })
            if shown.isSuperset(of: tables) {
                let isNamed = program.lastComponent?.string == "\(name)-legacy-save"
                return (text, isNamed ? "\(name)-legacy" : nil)
            }
            reason = "\(program) does not show them"
        }
        throw Unread(description: "\(what): \(reason)")
    }

    private static func programs(_ name: String, _ folders: [String]) -> [FilePath] {
        let path = getenv("PATH").map { String(cString: $0).split(separator: ":").map(String.init) } ?? []
        var seen: Set<String> = []
        return (path + folders).filter { seen.insert($0).inserted }.map { FilePath($0).appending(name) }
            .filter { access($0.string, X_OK) == 0 }
    }
}
