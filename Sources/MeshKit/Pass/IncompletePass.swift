/// The kernel refused a step, and the pass ended there.
struct IncompletePass: Error {
    /// The error of the refused step.
    var reason: any Error
    /// The number of steps that were taken before.
    var done: Int
    /// The number of steps that were not taken, including the refused one.
    var left: Int

    /// The error of a plain pass, which stays where it ended. A command that edits takes its steps back and reports the
    /// reason alone.
    var whole: IncompletePassError { IncompletePassError(reason: reason, done: done, left: left) }
}

/// A pass that should have made the kernel hold what the spec asks for ended early.
public struct IncompletePassError: Error, CustomStringConvertible {
    /// The error of the refused step.
    public var reason: any Error
    /// The number of changes that were made before.
    public var done: Int
    /// The number of changes that were not made.
    public var left: Int

    /// The reason, how far the pass got, and the remedy.
    public var description: String {
        "\(reason); \(done) of \(done + left) changes were made, and \(left) are left: run `meshctl reconcile` once the cause "
            + "is gone"
    }
}
