import Netlink
import SystemPackage
import TestSupport
import Testing

@Suite struct ProcFileTests {
    @Test func aFolderNamesItsFiles() throws {
        try TemporaryDirectory.with { folder throws in
            for name in ["one", "two"] { try folder.appending(name).write(name) }
            #expect(try Set(ProcFile.names(in: folder)) == ["one", "two"])
            #expect(try ProcFile.text(folder.appending("one")) == "one")
            #expect(throws: Errno.noSuchFileOrDirectory) { try ProcFile.names(in: folder.appending("three")) }
        }
    }

    /// A file of `/proc` says that it is empty, and gives a page at a time.
    @Test func aFileIsReadToItsEnd() throws {
        try TemporaryDirectory.with { folder throws in
            let text = String(repeating: "0123456789\n", count: 20_000)
            try folder.appending("large").write(text)
            #expect(try ProcFile.text(folder.appending("large")) == text)
            #expect(throws: Errno.noSuchFileOrDirectory) { try ProcFile.text(folder.appending("none")) }
            // A folder cannot be read as a file, not even by root.
            #expect(throws: Errno.isDirectory) { try ProcFile.text(folder) }
        }
        #expect(try ProcFile.text("/proc/self/maps").contains("[stack]"))
    }
}
