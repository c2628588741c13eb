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

/// What a command printed was not taken by whoever was to have it.
struct OutputError: Error, CustomStringConvertible {
    var errno: Errno
    var isAfterChange: Bool

    var description: String {
        (isAfterChange ? "the change was made, but what" : "what") + " was to be printed could not be written: \(errno)"
    }
}

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

enum StandardStreams {
    /// To be called before anything else is opened.
    static func prepare() {
        // A reader that has gone is an error of writing, and not the end of a process that may be in the middle of a
        // change.
        signal(SIGPIPE, SIG_IGN)
        // A stream that was closed leaves its number to the next file that is opened: a lock, or a socket, would be
        // written to. What takes its place fails as the closed one would.
        for (descriptor, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
        where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // The lowest number that is free, which is this one.
            _ = open("/dev/null", flags)
        }
    }
}

extension FileDescriptor {
    /// Writes all of it, also where somebody has made the file non-blocking.
    fileprivate func write(whole text: String) throws(Errno) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(rawValue, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
            } else if errno != EINTR {
                throw Errno(rawValue: errno)
            }
        }
    }
}
