public import RuleKit

/// The rules in this network namespace belong to another folder: a command without the `--state-dir`, or the
/// `MESHCTL_STATE_DIR`, that the others had would take their ports down.
public struct RuleOwnerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whose the rules are.
    public var owner: RuleOwner
    /// The folder of the command.
    public var folder: String

    /// Both folders, and what to do.
    public var description: String {
        "the mesh's rules in this network namespace belong to the state folder \(owner.folder), and this command works "
            + "with \(folder): say --state-dir \(owner.folder) or set MESHCTL_STATE_DIR (sudo does not pass it on); to give "
            + "them up, run `meshctl reset --state-dir \(owner.folder)` first"
    }
}
