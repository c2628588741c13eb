import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Standard output: the one way by which a command prints what it was asked for.
///
/// A command prints once, when all is done. Whether that arrived is part of whether the command succeeded: a script that
/// reads a truncated document, or an empty one, is to know.
enum StandardOutput {
    /// Prints lines for people, closes standard output, and sees to it that all of it was taken.
    ///
    /// - Parameter afterChange: the command has changed something by now, which the error is to say.
    static func print(_ lines: [String], afterChange: Bool = false) throws(OutputError) {
        try finish(lines.map { $0.printable + "\n" }.joined(), afterChange)
    }

    /// Prints text that is made of lines.
    static func print(text: String) throws(OutputError) {
        try print(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// Prints a JSON document.
    static func print(json: String) throws(OutputError) {
        try finish(json.printableJSON + "\n", false)
    }

    private static func finish(_ text: String, _ afterChange: Bool) throws(OutputError) {
        do throws(Errno) {
            try FileDescriptor.standardOutput.write(whole: text)
            // A file system over a network, and one with quotas, may tell only now.
            guard close(FileDescriptor.standardOutput.rawValue) == 0 || errno == EINTR else {
                throw Errno(rawValue: errno)
            }
        } catch {
            throw OutputError(errno: error, isAfterChange: afterChange)
        }
    }
}
