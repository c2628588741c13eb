import Netlink
import SystemPackage

/// What happens on this node: the documents of the state's folder are written, the kernel tells of changes in the places
/// of the mesh, and names of places go from `/run/netns`. Whether sources have reported other tasks, they know themselves.
package struct NodeEvents: AgentEvents {
    private let directory: FilePath
    private let listener: KernelListener
    private let documents: FolderWatch
    private let names: FolderWatch
    private let bell: Bell
    private let documentsWatch = Locked(DocumentsWatch.ended)
    private let isWatchingNames = Locked(false)
    private let onFailure = Locked<@Sendable (String, any Error) -> Void>({ _, _ in })

    /// The watch over the documents.
    private enum DocumentsWatch: Equatable {
        case stands
        /// The folder is gone, until a pass makes it again.
        case ended
        case failed(Errno)
    }

    /// - Parameters:
    ///   - directory: the state's folder.
    ///   - listener: the listener of the kernel in which passes work.
    init(directory: FilePath, listener: KernelListener) throws(Errno) {
        self.directory = directory
        self.listener = listener
        documents = try FolderWatch()
        names = try FolderWatch()
        bell = try Bell()
    }

    package func start(onFailure: @escaping @Sendable (_ what: String, _ reason: any Error) -> Void) async throws {
        self.onFailure.withLock { $0 = onFailure }
        listener.start { onFailure("changes in \($0)", $1) }
        do {
            try documents.watch(directory.string)
        } catch {
            throw StoreError(cannot: "watch", directory, error)
        }
        documentsWatch.withLock { $0 = .stands }
        await watchNames()
    }

    /// Watches the documents again if their folder was gone.
    ///
    /// - Returns: whether it is watched only from now on, so that documents may have been written unseen.
    private func watchDocumentsAgain() -> Bool {
        let before = documentsWatch.withLock(\.self)
        guard before != .stands else { return false }
        let present: DocumentsWatch
        do throws(Errno) {
            try documents.watch(directory.string)
            present = .stands
        } catch {
            present = error == .noSuchFileOrDirectory ? .ended : .failed(error)
            if present != before, present != .ended {
                onFailure.withLock(\.self)("the documents in \(directory)", error)
            }
        }
        documentsWatch.withLock { $0 = present }
        return present == .stands
    }

    /// The folder of names comes with the first name.
    private func watchNames() async {
        guard !isWatchingNames.withLock(\.self) else { return }
        do {
            let isThere = try await NamespaceMount.watchNames(by: names)
            isWatchingNames.withLock { $0 = isThere }
        } catch {
            isWatchingNames.withLock { $0 = true }
            onFailure.withLock(\.self)("the names of namespaces", error)
        }
    }

    package func wait(for limit: Duration, listeningTo interest: AgentInterest) async throws {
        var descriptors = interest == .nothing ? [] : [documents.descriptor, bell.descriptor]
        if interest == .everything { descriptors += listener.descriptors + [names.descriptor] }
        try await Readable.wait(for: descriptors, limit: limit)
    }

    package func tasksHaveChanged() { bell.ring() }

    package func drain() -> AgentNews {
        bell.silence()
        let written = writtenDocuments()
        return AgentNews(documents: written.spec || written.ledger, places: changedPlaces())
    }

    package func endPass(following generation: UInt64?) async -> AgentNews {
        listener.endPass(isComplete: generation != nil)
        await watchNames()
        let written = writtenDocuments()
        let isWatchedAgain = watchDocumentsAgain()
        // A command that the pass has waited for may have written the spec that the pass then followed.
        let isNew = written.spec && generation != specs.generationOfWholeDocument()
        return AgentNews(documents: isWatchedAgain || isNew, places: changedPlaces())
    }

    private var specs: AtomicDocument<MeshDocument> { FileSpecStore.document(in: directory) }

    private func writtenDocuments() -> (spec: Bool, ledger: Bool) {
        var (spec, ledger) = (false, false)
        for event in documents.drain() {
            switch event {
            case .file("mesh.json"): spec = true
            case .file("ledger.json"): ledger = true
            case .file: break
            case .lost: spec = true
            case .gone:
                spec = true
                documentsWatch.withLock { $0 = .ended }
            }
        }
        return (spec, ledger)
    }

    private func changedPlaces() -> Set<PlaceID> {
        var places = listener.drain()
        for event in names.drain() {
            switch event {
            case .file(let name): if let place = listener.leave(named: name) { places.insert(place) }
            case .gone: isWatchingNames.withLock { $0 = false }
            case .lost: places.insert(.node)
            }
        }
        return places
    }
}
