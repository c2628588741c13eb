/// A pass was refused a step, and ended there.
struct IncompletePass: Error {
    /// Why.
    var reason: any Error
    /// How many steps were taken before.
    var done: Int
    /// How many were not, the refused one among them.
    var left: Int

    /// As whoever asked for a plain pass is told it: a command that edits takes back what was done, and tells the reason
    /// alone.
    var whole: IncompletePassError { IncompletePassError(reason: reason, done: done, left: left) }
}

/// A pass that was to make the kernel hold what is asked for ended early.
public struct IncompletePassError: Error, CustomStringConvertible {
    /// Why.
    public var reason: any Error
    /// How many changes were made before.
    public var done: Int
    /// How many were not made.
    public var left: Int

    /// The reason, how far the pass got, and what to do.
    public var description: String {
        "\(reason); \(done) of \(done + left) changes were made, and \(left) are left: run `meshctl reconcile` once the cause "
            + "is gone"
    }
}
