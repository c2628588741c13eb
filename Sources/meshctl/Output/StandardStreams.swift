#if canImport(Glibc)
    import Glibc
#endif

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
