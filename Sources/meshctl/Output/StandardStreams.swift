#if canImport(Glibc)
    import Glibc
#endif

enum StandardStreams {
    /// Makes the standard streams safe to write to. Call this before any other file is opened.
    static func prepare() {
        // When the reader has gone, a write must fail instead of ending the process, which may be in the middle of a
        // change.
        signal(SIGPIPE, SIG_IGN)
        // The next file that is opened, a lock or a socket, would get the descriptor of a closed stream, and messages would
        // be written to it. /dev/null, opened for the wrong direction, takes the descriptor instead: using it fails as the
        // closed stream would.
        for (descriptor, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
        where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            // open(2) returns the lowest free descriptor, which is this one.
            _ = open("/dev/null", flags)
        }
    }
}
