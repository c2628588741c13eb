import TestSupport
import Testing

@testable import meshctl

#if canImport(Glibc)
    import Glibc
#endif

/// How a service's log lines begin.
@Suite struct ServiceLogTests {
    @Test func aMomentIsWrittenInUTC() {
        #expect(UTCTime.text(of: timespec(tv_sec: 0, tv_nsec: 0)) == "1970-01-01T00:00:00.000Z")
        #expect(UTCTime.text(of: timespec(tv_sec: 1_796_000_703, tv_nsec: 7_999_999)) == "2026-11-30T01:05:03.007Z")
    }

    /// The journal says which device and inode its socket has.
    @Test func theJournalIsKnownByItsSocket() {
        var status = stat()
        fstat(STDERR_FILENO, &status)
        #expect(StandardErrorLog.Style.ofService(journal: "\(status.st_dev):\(status.st_ino)") == .journal)
        #expect(StandardErrorLog.Style.ofService(journal: "\(status.st_dev):\(status.st_ino + 1)") == .time)
        #expect(StandardErrorLog.Style.ofService(journal: nil) == .time)
    }

    /// Wrong usage is that of any command.
    @Test func anAgentRefusesWrongUsage() async throws {
        let ran = try await Shell.run(
            [try BuiltProducts.path("meshctl"), "agent", "--state-dir", ""], environment: [:])
        #expect(ran.status == 64 && ran.error.contains("--state-dir is empty"), "\(ran)")
    }
}
