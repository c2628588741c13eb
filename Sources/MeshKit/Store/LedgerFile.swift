public import SystemPackage

/// Keeps a node's ``Ledger``, always in a file: `ledger.json` in the state's folder.
///
/// Who saves holds the lock of a pass (``FileLock``) from before the load that the new ledger was made from.
public struct LedgerFile: Sendable {
    /// The folder, which the first save makes where it is not there.
    public let directory: FilePath
    /// The document.
    public var file: FilePath { document.file }
    private let node: String
    private let document: AtomicDocument<Ledger>

    /// The ledger in a folder.
    ///
    /// - Parameter node: the name of this node, for a ledger that is converted from an older document.
    public init(directory: FilePath, node: String = Ledger.hostName()) {
        self.directory = directory
        self.node = node
        document = AtomicDocument(directory.appending("ledger.json"))
    }

    /// The ledger. Where none was ever saved, the one that an older document in the folder held, which has an id of its own
    /// at each load until it is saved; nil where there is no such document.
    public func load() throws(StoreError) -> Ledger? {
        if let ledger = try document.load() { return ledger }
        guard case .legacy(let older) = try FileSpecStore.document(in: directory).load() else { return nil }
        return older.ledger(node: node)
    }

    /// Replaces the ledger, whole or not at all. The generation of what is stored is one more than the replaced one,
    /// whatever the given ledger has.
    ///
    /// - Parameter generation: that of the ledger which the new one was made from; 0 where none was ever saved.
    /// - Throws: ``StoreError`` with the code `conflict` where another generation is stored; with `corrupt` or
    ///   `newerSchema` where what is stored cannot be read, which is then kept.
    public func save(_ ledger: Ledger, replacing generation: UInt64) throws(StoreError) {
        var next = ledger
        next.generation = generation &+ 1
        try document.replace(generation, with: next)
    }

    /// Saves what an older document held, if there is no ledger yet: before that document is replaced by a spec, which does
    /// not hold it.
    func keep(_ older: LegacyDocument) throws(StoreError) {
        guard try document.load() == nil else { return }
        try save(older.ledger(node: node), replacing: 0)
    }
}

extension Ledger: DocumentContent {
    static let newestSchema = currentSchema
    static let remedy =
        "nothing was changed; put a good copy in its place, or move it away, after which meshctl does not know what it "
        + "put into the kernel: docs/state.md says how to remove that"
}
