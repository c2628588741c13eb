import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// What the agent learns of its documents.
@Suite struct NodeEventsTests {
    /// Events of a folder that is gone, and why its documents cannot be watched.
    private static func withoutFolder(
        _ body: (_ events: NodeEvents, _ folder: FilePath, _ failures: Locked<[String]>) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { parent in
            let folder = parent.appending("state")
            #expect(mkdir(folder.string, 0o755) == 0)
            let failures = Locked<[String]>([])
            let events = try NodeEvents(directory: folder, listener: KernelListener())
            try await events.start { what, reason in
                // Only root may watch the names of namespaces.
                if what.hasPrefix("the documents") { failures.withLock { $0.append("\(reason)") } }
            }
            #expect(rmdir(folder.string) == 0)
            #expect(events.drain().documents)
            try await body(events, folder, failures)
        }
    }

    /// A pass makes the folder again, later than the agent learns that it is gone.
    @Test func aFolderThatIsMadeAgainIsWatched() async throws {
        try await Self.withoutFolder { events, folder, failures in
            let failed = await events.endPass(following: nil)
            #expect(!failed.documents)
            #expect(mkdir(folder.string, 0o755) == 0)
            let first = await events.endPass(following: 0)
            #expect(first.documents, "they may have been written unseen")
            let second = await events.endPass(following: 0)
            #expect(!second.documents)
            try folder.appending("mesh.json").write("{}")
            #expect(events.drain().documents)
            #expect(failures.withLock(\.self) == [])
        }
    }

    @Test func whatCannotBeWatchedIsSaidOnce() async throws {
        try await Self.withoutFolder { events, folder, failures in
            try folder.write("a file in its place")
            for _ in 1...2 {
                let news = await events.endPass(following: nil)
                #expect(!news.documents)
            }
            #expect(failures.withLock(\.count) == 1)
            #expect(unlink(folder.string) == 0 && mkdir(folder.string, 0o755) == 0)
            let news = await events.endPass(following: 0)
            #expect(news.documents)
        }
    }
}
