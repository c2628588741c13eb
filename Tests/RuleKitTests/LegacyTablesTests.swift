import IPVSKit
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

/// The lists of tables of legacy iptables, in a folder of the test's instead of `/proc/net`.
@Suite struct LegacyTablesTests {
    @Test func aKernelWithoutTheListHasNoTables() throws {
        try TemporaryDirectory.with { folder throws in
            #expect(try LegacyTables.names(.ipv4, in: folder) == [])
            #expect(!LegacyTables.mayExist(in: folder))
        }
    }

    @Test func theListNamesTheTables() throws {
        try TemporaryDirectory.with { folder throws in
            try folder.appending("ip_tables_names").write("")
            #expect(!LegacyTables.mayExist(in: folder))
            try folder.appending("ip6_tables_names").write("nat\nfilter\n")
            #expect(try LegacyTables.names(.ipv6, in: folder) == ["nat", "filter"])
            #expect(try LegacyTables.names(.ipv4, in: folder) == [])
            #expect(LegacyTables.mayExist(in: folder))
        }
    }

    /// A folder cannot be read as a file, not even by root.
    @Test func aListThatCannotBeReadMayHaveTables() throws {
        try TemporaryDirectory.with { folder throws in
            guard mkdir(folder.appending("ip_tables_names").string, 0o755) == 0 else { throw Errno(rawValue: errno) }
            #expect(throws: Errno.isDirectory) { try LegacyTables.names(.ipv4, in: folder) }
            #expect(LegacyTables.mayExist(in: folder))
        }
    }
}
