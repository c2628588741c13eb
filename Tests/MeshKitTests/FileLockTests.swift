import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// The lock, held by processes, since that is what it is between.
@Suite struct FileLockTests {
    @discardableResult
    private static func hold(_ directory: FilePath, _ mode: String, for milliseconds: Int = 0) async throws -> Ran {
        try await Shell.run([
            "timeout", "20", try BuiltProducts.path("LockProbe"), directory.string, mode, "\(milliseconds)",
        ])
    }

    private static func mode(of path: FilePath) -> mode_t? {
        var status = stat()
        return stat(path.string, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    /// Three readers, of which there is always one, however long a process takes to start.
    @Test func aWriterGetsItsTurnAmongReadersThatOverlap() async throws {
        try await TemporaryDirectory.with { directory in
            try #require(try await Self.hold(directory, "exclusive").status == 0)
            let probe = try BuiltProducts.path("LockProbe")
            try await withThrowingTaskGroup(of: Ran?.self) { group in
                for number in 0..<3 {
                    group.addTask {
                        try await Task.sleep(for: .milliseconds(700 * number))
                        return try await Shell.run([
                            "sh", "-c", "while [ ! -e \"$1/stop\" ]; do \"$0\" \"$1\" shared 2000 || exit 1; done",
                            probe,
                            directory.string,
                        ])
                    }
                }
                try await Task.sleep(for: .seconds(2))
                let writer = try await Self.hold(directory, "exclusive")
                try directory.appending("stop").write("")
                #expect(writer.status == 0, "\(writer)")
                for try await reader in group { #expect(reader?.status == 0, "\(String(describing: reader))") }
            }
        }
    }

    @Test func nobodyElseCanOpenIt() async throws {
        try await TemporaryDirectory.with { directory in
            try #require(try await Self.hold(directory, "exclusive").status == 0)
            for name in ["lock", "lock-queue"] { #expect(Self.mode(of: directory.appending(name)) == 0o600, "\(name)") }
        }
    }

    /// As an earlier version made it, and somebody who may not even write has it locked for ever.
    @Test(arguments: ["lock", "lock-queue"], ["shared", "exclusive"])
    func oneThatOthersHaveOpenIsReplaced(name: String, mode: String) async throws {
        try await TemporaryDirectory.with { directory in
            let lock = directory.appending(name)
            try lock.write("")
            try #require(chmod(lock.string, 0o644) == 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await Shell.run([
                        "sh", "-c",
                        """
                        exec 9<"$0/$1"; flock 9; touch "$0/locked"
                        while [ ! -e "$0/stop" ]; do sleep 0.1; done
                        """, directory.string, name,
                    ])
                }
                while access(directory.appending("locked").string, F_OK) != 0 {
                    try await Task.sleep(for: .milliseconds(20))
                }
                let first = try await Self.hold(directory, mode)
                #expect(first.status == 0, "\(first)")
                #expect(Self.mode(of: lock) == 0o600)
                // A single slow start of the program is no waiting; five in a row are.
                var fastest = Duration.seconds(3600)
                for _ in 0..<5 where fastest >= LockFile.patience {
                    let start = ContinuousClock.now
                    let second = try await Self.hold(directory, mode)
                    #expect(second.status == 0, "\(second)")
                    fastest = min(fastest, ContinuousClock.now - start)
                }
                #expect(fastest < LockFile.patience, "waited for what is none of its own any more")
                try directory.appending("stop").write("")
                try await group.waitForAll()
            }
        }
    }

    /// Of many who find it open to others, each holds it alone.
    @Test func thoseWhoReplaceItHoldItOneAtATime() async throws {
        try await TemporaryDirectory.with { directory in
            for name in ["lock", "lock-queue"] {
                try directory.appending(name).write("")
                try #require(chmod(directory.appending(name).string, 0o644) == 0)
            }
            try await withThrowingTaskGroup(of: Ran.self) { group in
                for _ in 0..<8 { group.addTask { try await Self.hold(directory, "exclusive", for: 30) } }
                for try await ran in group { #expect(ran.status == 0, "\(ran)") }
            }
            #expect(Self.mode(of: directory.appending("lock.new")) == nil)
        }
    }
}
