import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Standard output, to which a command prints its result once, when everything is done.
///
/// A command fails if its output could not be written: a script that reads a truncated or empty document must notice.
enum StandardOutput {
    /// Prints lines for people, closes standard output, and throws if any of it failed.
    ///
    /// - Parameter afterChange: whether the command has changed something; the error then says that the change was made.
    static func print(_ lines: [String], afterChange: Bool = false) throws(OutputError) {
        try finish(lines.map { $0.printable + "\n" }.joined(), afterChange)
    }

    /// Prints a text of several lines.
    static func print(text: String) throws(OutputError) {
        try print(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// Prints a document of lines as it is, with control characters escaped.
    static func print(document: String) throws(OutputError) {
        try print(text: document.hasSuffix("\n") ? String(document.dropLast()) : document)
    }

    /// Prints a JSON document.
    static func print(json: String) throws(OutputError) {
        try finish(json.printableJSON + "\n", false)
    }

    /// Prints a line at once, for a command that prints for as long as it runs.
    static func write(line: String) throws(OutputError) {
        do throws(Errno) {
            try FileDescriptor.standardOutput.write(whole: line + "\n")
        } catch {
            throw OutputError(errno: error, isAfterChange: false)
        }
    }

    private static func finish(_ text: String, _ afterChange: Bool) throws(OutputError) {
        do throws(Errno) {
            try FileDescriptor.standardOutput.write(whole: text)
            // A network file system, or one with quotas, may report a failed write only when the file is closed.
            guard close(FileDescriptor.standardOutput.rawValue) == 0 || errno == EINTR else {
                throw Errno(rawValue: errno)
            }
        } catch {
            throw OutputError(errno: error, isAfterChange: afterChange)
        }
    }
}
