import Synchronization
import SystemPackage

/// Standard error, for errors, warnings and progress.
enum StandardError {
    /// Whether a line was lost. There is nowhere left to report it but the exit status.
    static var hasFailed: Bool { failed.load(ordering: .relaxed) }
    private static let failed = Atomic(false)

    /// Writes one line.
    static func write(_ line: String) {
        do throws(Errno) {
            try FileDescriptor.standardError.write(whole: line.printable + "\n")
        } catch {
            failed.store(true, ordering: .relaxed)
        }
    }

    /// Writes a text of several lines.
    static func write(text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write(String(line)) }
    }
}
