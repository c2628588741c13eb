public import SystemPackage

/// The ledger belongs to another network namespace, which still exists. The things that it records are there and not
/// here.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// The file of the ledger.
    public var file: FilePath
    /// The namespace to which the ledger belongs.
    public var home: NamespaceIdentity
    /// The place where that namespace is found, in words.
    public var whereabouts: String
    /// The namespace in which the command runs.
    public var here: NamespaceIdentity

    /// Both namespaces, and the remedy.
    public var description: String {
        "\(file) belongs to network namespace \(home.inode), which is \(whereabouts), and this is network namespace "
            + "\(here.inode): run the command there, or take another folder for this one (--state-dir)"
    }
}
