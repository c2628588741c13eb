public import SystemPackage

/// Why an agent does not begin, or does not follow the documents.
public enum AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another agent keeps the node of the same state folder.
    case isRunning(FilePath)
    /// The spec has gone while the agent ran.
    case specIsGone(FilePath)

    /// The fault, and the remedy.
    public var description: String {
        switch self {
        case .isRunning(let directory):
            "another agent works on the state in \(directory): one is enough; stop it first (systemctl stop meshctl), or "
                + "choose another folder with --state-dir"
        case .specIsGone(let directory):
            "\(directory)/mesh.json is gone, and the kernel stays as it is: put the file back; to take the ports down, stop "
                + "the agent and run `meshctl reset`"
        }
    }
}
