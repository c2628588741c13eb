public import SystemPackage

/// Keeps a node's ``Ledger`` in a file: `ledger.json` in the state's folder.
///
/// A caller that saves has to hold the lock of a pass (``FileLock``) since before it loaded the ledger that it changes.
public struct LedgerFile: Sendable {
    /// The folder. The first save makes it if it does not exist.
    public let directory: FilePath
    /// The file of the document.
    public var file: FilePath { document.file }
    private let node: String
    private let document: AtomicDocument<Ledger>

    /// A ledger in a folder.
    ///
    /// - Parameter node: the name of this node, which is used for converting an older document.
    public init(directory: FilePath, node: String = Ledger.hostName()) {
        self.directory = directory
        self.node = node
        document = AtomicDocument(directory.appending("ledger.json"))
    }

    /// The ledger. If none was ever saved, it is converted from an older document in the folder; its id is then a new
    /// one at each load, until it is saved. Nil if there is no such document either.
    public func load() throws(StoreError) -> Ledger? {
        if let ledger = try document.load() { return ledger }
        guard case .legacy(let older) = try FileSpecStore.document(in: directory).load() else { return nil }
        return older.ledger(node: node)
    }

    /// Replaces the ledger as a whole or not at all. The stored generation becomes one more than the replaced one,
    /// whatever the given ledger says.
    ///
    /// - Parameter generation: the generation of the ledger from which the new one was made; 0 if none was ever saved.
    /// - Throws: ``StoreError`` with the code `conflict` if another generation is stored; with `corrupt` or
    ///   `newerSchema` if the stored document cannot be read. The stored document is then kept.
    public func save(_ ledger: Ledger, replacing generation: UInt64) throws(StoreError) {
        var next = ledger
        next.generation = generation &+ 1
        try document.replace(generation, with: next)
    }

    /// Saves the ledger part of an older document, if there is no ledger yet. It is called before a spec replaces the
    /// document, since a spec does not hold this part.
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
