public import SystemPackage

/// The ledger belongs to another network namespace, which lives: what it says is there is not here.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// The ledger.
    public var file: FilePath
    /// The namespace that it belongs to.
    public var home: NamespaceIdentity
    /// Where that one is found.
    public var whereabouts: String
    /// The namespace that the command runs in.
    public var here: NamespaceIdentity

    /// Both namespaces, and what to do.
    public var description: String {
        "\(file) belongs to network namespace \(home.inode), which is \(whereabouts), and this is network namespace "
            + "\(here.inode): run the command there, or take another folder for this one (--state-dir)"
    }
}
