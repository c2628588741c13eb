import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// Which files of the state's folder are written, come and go.
@Suite struct FolderWatchTests {
    @Test func filesThatAreWrittenComeAndGo() throws {
        try TemporaryDirectory.with { folder in
            let watch = try FolderWatch()
            try watch.watch(folder.string)
            try watch.watch(folder.string)
            #expect(watch.drain() == [])
            try folder.appending("a").write("1")
            #expect(watch.drain() == [.file("a")])
            _ = try folder.appending("a").text()
            #expect(watch.drain() == [])
            #expect(rename(folder.appending("a").string, folder.appending("b").string) == 0)
            #expect(watch.drain() == [.file("a"), .file("b")])
            #expect(unlink(folder.appending("b").string) == 0)
            #expect(watch.drain() == [.file("b")])
        }
    }

    /// A document is replaced under its name, and the lock is opened without being written.
    @Test func aSavedLedgerIsSeenAndALockIsNot() async throws {
        try await TemporaryDirectory.with { folder in
            let watch = try FolderWatch()
            try watch.watch(folder.string)
            let file = LedgerFile(directory: folder, node: "node1")
            try await file.locked(.exclusive, onWait: {}) {}
            #expect(watch.drain() == [])
            try file.save(Ledger(node: "node1"), replacing: 0)
            #expect(watch.drain().contains(.file("ledger.json")))
        }
    }

    @Test func theEndOfTheFolderIsSeen() throws {
        try TemporaryDirectory.with { parent in
            let folder = parent.appending("state").string
            #expect(mkdir(folder, 0o755) == 0)
            let watch = try FolderWatch()
            try watch.watch(folder)
            #expect(rmdir(folder) == 0)
            #expect(watch.drain() == [.gone])
            #expect(throws: Errno.noSuchFileOrDirectory) { try watch.watch(folder) }
        }
    }
}
