import SystemPackage

/// The output of a command could not be written.
struct OutputError: Error, CustomStringConvertible {
    var errno: Errno
    var isAfterChange: Bool

    var description: String {
        (isAfterChange ? "the change was made, but the" : "the") + " output could not be written: \(errno)"
    }
}
