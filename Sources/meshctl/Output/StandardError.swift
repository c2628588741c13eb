import SystemPackage

/// Standard error, for errors and progress. A failed write is ignored: there is nowhere left to report it.
enum StandardError {
    /// Writes one line.
    static func write(_ line: String) {
        try? FileDescriptor.standardError.write(whole: line.printable + "\n")
    }

    /// Writes a text of several lines.
    static func write(text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write(String(line)) }
    }
}
