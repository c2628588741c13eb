import SystemPackage

/// For what is not data: errors and progress. Nobody can be told where that fails.
enum StandardError {
    /// Writes one line.
    static func write(_ line: String) {
        try? FileDescriptor.standardError.write(whole: line.printable + "\n")
    }

    /// Writes text that is made of lines.
    static func write(text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write(String(line)) }
    }
}
