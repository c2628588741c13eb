public import SystemPackage

/// Keeps the spec of a single node in a file: `mesh.json` in the state's folder.
public struct FileSpecStore: SpecStore {
    /// The folder. The first write makes it if it does not exist.
    public let directory: FilePath
    /// The file of the document.
    public var file: FilePath { document.file }
    private let node: String
    let document: AtomicDocument<MeshDocument>
    private var ledger: LedgerFile { LedgerFile(directory: directory, node: node) }

    /// A store in a folder.
    ///
    /// - Parameter node: the name of this node. It is used for converting an older document if there is no ledger that
    ///   says the name.
    public init(directory: FilePath, node: String = Ledger.hostName()) {
        self.directory = directory
        self.node = node
        document = Self.document(in: directory)
    }

    static func document(in directory: FilePath) -> AtomicDocument<MeshDocument> {
        AtomicDocument(directory.appending("mesh.json"))
    }

    /// The newest spec; an empty spec if none was ever saved. An older document is converted.
    public func load() async throws -> MeshSpec { try read() }

    /// The same as ``load()``, on the calling thread.
    package func read() throws(StoreError) -> MeshSpec {
        switch try document.load() {
        case nil: return MeshSpec()
        case .spec(let spec): return spec
        case .legacy(let older):
            return older.spec(node: try ledger.load()?.node ?? node)
        }
    }

    /// Replaces the spec as a whole or not at all, as ``SpecStore/swap(_:replacing:)`` describes. Writers of several
    /// processes wait for each other by a lock of the store's own (`mesh.lock`), which is held for the write alone.
    public func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws {
        let lock = try await writeLock()
        defer { withExtendedLifetime(lock) {} }
        // Replacing an older document would lose the part that describes this node's kernel, so that part is saved as
        // the ledger first.
        if document.generationOfWholeDocument() == nil, case .legacy(let older) = try document.load(),
            older.generation == generation
        {
            try ledger.keep(older)
        }
        var next = spec
        next.generation = generation &+ 1
        try document.replace(generation, with: next)
    }

    private func writeLock() async throws -> LockFile? {
        let path = directory.appending("mesh.lock")
        do {
            try directory.makeDirectory()
            return try await LockFile.acquire(path, .exclusive) { try await Task.sleep(for: .milliseconds(5)) }
        } catch let error as Errno {
            throw StoreError(cannot: "lock", path, error)
        }
    }
}
