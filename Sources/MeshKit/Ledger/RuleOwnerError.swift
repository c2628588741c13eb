public import RuleKit

/// The rules in this network namespace belong to another state folder. The command probably lacks the `--state-dir` or
/// `MESHCTL_STATE_DIR` of the commands before it, and would take their ports down.
public struct RuleOwnerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The owner that the rules name.
    public var owner: RuleOwner
    /// The state folder of the command.
    public var folder: String

    /// Both folders, and the remedy.
    public var description: String {
        "the mesh's rules in this network namespace belong to the state folder \(owner.folder), and this command works "
            + "with \(folder): say --state-dir \(owner.folder) or set MESHCTL_STATE_DIR (sudo does not pass it on); to give "
            + "them up, run `meshctl reset --state-dir \(owner.folder)` first"
    }
}
