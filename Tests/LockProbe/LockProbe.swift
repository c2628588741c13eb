import MeshKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Holds the lock of a state for a while, as a command does: `LockProbe STATE-DIR shared|exclusive MILLISECONDS`. Fails
/// if another process holds the lock exclusively at the same time.
@main
struct LockProbe {
    struct NotAlone: Error {}

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let time = Int(arguments[3]) else {
            throw InputError("LockProbe STATE-DIR shared|exclusive MILLISECONDS")
        }
        let folder = FilePath(arguments[1])
        let isExclusive = arguments[2] == "exclusive"
        let mark = arguments[1] + "/held"
        try await FileLock.hold(folder, isExclusive ? .exclusive : .shared, onWait: {}) {
            if isExclusive { guard open(mark, O_CREAT | O_EXCL | O_RDWR, 0o600) >= 0 else { throw NotAlone() } }
            guard isExclusive || access(mark, F_OK) != 0 else { throw NotAlone() }
            try await Task.sleep(for: .milliseconds(time))
            if isExclusive { unlink(mark) }
        }
    }
}
