import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

/// Whether there can be tables of nftables, by files of the test's instead of `/proc/modules` and `modules.dep`.
@Suite struct IPTablesVariantTests {
    @Test(
        arguments: [
            ("nf_tables 300000 0 - Live 0x0\n", true),
            ("overlay 1 0 - Live 0x0\nnf_tables 300000 0 - Live 0x0\n", true),
            ("nf_tables_more 1 0 - Live 0x0\n", false), ("", false),
        ])
    func aModuleThatIsNotLoadedHasNoTables(loaded: String, mayHaveTables: Bool) throws {
        try TemporaryDirectory.with { folder throws in
            let (list, installed) = (folder.appending("modules"), folder.appending("modules.dep"))
            try list.write(loaded)
            try installed.write("kernel/net/netfilter/nf_tables.ko: kernel/net/netfilter/nfnetlink.ko\n")
            #expect(IPTablesVariant.mayHaveNFTables(loaded: list, installed: installed) == mayHaveTables)
            // What is no module is built in, or missing.
            try installed.write("")
            #expect(IPTablesVariant.mayHaveNFTables(loaded: list, installed: installed))
        }
    }

    @Test func aListThatCannotBeReadMayNameTheModule() throws {
        try TemporaryDirectory.with { folder throws in
            let installed = folder.appending("modules.dep")
            try installed.write("kernel/net/netfilter/nf_tables.ko:\n")
            // A folder cannot be read as a file, not even by root.
            #expect(IPTablesVariant.mayHaveNFTables(loaded: folder, installed: installed))
        }
    }
}
