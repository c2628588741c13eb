import Netlink
public import SystemPackage

/// Keeps the spec of a single node in a file: `mesh.json` in the state's folder.
public struct FileSpecStore: SpecStore {
    /// The folder, which the first write makes where it is not there.
    public let directory: FilePath
    /// The document.
    public var file: FilePath { Self.document(in: directory).file }
    /// How often ``changes()`` looks at the file.
    private let interval: Duration
    private let node: String
    private var ledger: LedgerFile { LedgerFile(directory: directory, node: node) }

    /// The spec in a folder.
    ///
    /// - Parameters:
    ///   - node: the name of this node, for a spec that is converted from an older document while there is no ledger that
    ///     says the name.
    ///   - interval: how often ``changes()`` looks at the file.
    public init(
        directory: FilePath, node: String = Ledger.hostName(), lookingEvery interval: Duration = .milliseconds(200)
    ) {
        self.directory = directory
        self.interval = interval
        self.node = node
    }

    static func document(in directory: FilePath) -> AtomicDocument<MeshDocument> {
        AtomicDocument(directory.appending("mesh.json"))
    }

    var document: AtomicDocument<MeshDocument> { Self.document(in: directory) }

    /// The newest spec; an empty one where none was ever saved. An older document is converted.
    public func load() async throws -> MeshSpec { try read() }

    private func read() throws(StoreError) -> MeshSpec {
        switch try document.load() {
        case nil: return MeshSpec()
        case .spec(let spec): return spec
        case .legacy(let older):
            return older.spec(node: try ledger.load()?.node ?? node)
        }
    }

    /// Replaces the spec, whole or not at all, as ``SpecStore/swap(_:replacing:)`` says. Writers of other processes wait for
    /// each other, by a lock of the store's own (`mesh.lock`) that is held as long as the write takes.
    public func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws {
        let lock = try await writeLock()
        defer { withExtendedLifetime(lock) {} }
        // What the older document says of this node's kernel would be lost with it.
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

    /// The spec as it is, and the newest one after each change, by looking at the file again and again.
    public func changes() -> AsyncStream<MeshSpec> {
        let seen = Locked(Seen())
        return AsyncStream {
            while !Task.isCancelled {
                // Looked up before the file is read: whoever replaces it in between is seen by the next look.
                let identity = FileIdentity(of: file)
                if seen.withLock({ $0.identity != identity }), let spec = try? read() {
                    let last = seen.withLock { seen in
                        defer { seen = Seen(identity: identity, spec: spec) }
                        return seen.spec
                    }
                    if spec != last { return spec }
                }
                try? await Task.sleep(for: interval)
            }
            return nil
        }
    }

    /// What a stream of changes has told last, and the file that it was read from.
    private struct Seen {
        /// Nil before the first look.
        var identity: FileIdentity?
        var spec: MeshSpec?
    }
}
