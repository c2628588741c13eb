import SystemPackage

/// What a command printed was not taken by whoever was to have it.
struct OutputError: Error, CustomStringConvertible {
    var errno: Errno
    var isAfterChange: Bool

    var description: String {
        (isAfterChange ? "the change was made, but what" : "what") + " was to be printed could not be written: \(errno)"
    }
}
