package import IPVSKit
import Netlink
import RuleKit
package import SystemPackage

/// The kernel that runs the process. The node is the network namespace of the process.
package struct LiveKernel: MeshKernel {
    let node: NamespaceHandle
    let nodeKernel: LivePlace
    let bridges: Bridges
    /// Asked in each pass, so its socket stays.
    let tables: NFTTables
    /// A folder in which the tools cache their findings about themselves.
    private let cache: FilePath
    private let notes: RuleNotes
    /// The entered places by name. The tools of a place keep what they have read, so that they need not read it again
    /// before they write.
    private let entered: Locked<[PlaceID: Entered]>

    private struct Entered {
        var kernel: LivePlace
        /// Whether the namespace is a task's, of which there may be many.
        var isLent: Bool
    }

    /// Whether the kernel is known to have conntrack zones.
    let zones = Locked(false)
    package let listener: KernelListener

    /// - Throws: an error if the namespace of the process cannot be opened.
    package init(ipvs: IPVS, cache: FilePath) throws {
        self.cache = cache
        notes = RuleNotes(in: cache)
        node = try NetworkNamespace.current.open()
        nodeKernel = LivePlace(handle: node, isProcess: true, ipvs: ipvs, cache: cache, notes: notes)
        let entered = Locked<[PlaceID: Entered]>([:])
        self.entered = entered
        listener = KernelListener { place in entered.withLock { $0[place] = nil } }
        bridges = Bridges(nodeKernel.routes)
        tables = NFTTables(in: node)
    }

    package func identity() throws -> NamespaceIdentity { try NamespaceIdentity.ofProcess(node) }

    package func whereabouts(of namespace: NamespaceIdentity) async throws -> String? {
        try await namespace.whereabouts()
    }

    package func now() -> BootTime { .now() }

    package func enter(_ place: Place) async -> Reading<ObservedPlace.Existence> {
        let (existence, handle) = await look(at: place)
        if let handle {
            await listener.meet(place, in: handle)
            remember(place, handle)
        } else if existence.isAbsent || existence.value == .somethingElse {
            leave(place)
        }
        return existence
    }

    /// What a place's name stands for, and the namespace if it stands for one.
    private func look(at place: Place) async -> (Reading<ObservedPlace.Existence>, NamespaceHandle?) {
        switch place.existence {
        case .lent(.process): return (.known(.namespace), node)
        case .lent(.file(let path, let inode)):
            do {
                let handle = try NetworkNamespace.path(FilePath(path)).open()
                // The file may refer to a later namespace by now.
                if let inode, inode != handle.inode { return (.absent, nil) }
                // So may the number of a process of this node.
                if handle.isSame(as: node) { return (.absent, nil) }
                return (.known(.namespace), handle)
            } catch {
                return (error.errno == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)"), nil)
            }
        case .own(let name):
            do {
                switch try await NamespaceMount(name: name).content(from: node) {
                case .missing: return (.absent, nil)
                case .somethingElse: return (.known(.somethingElse), nil)
                case .namespace(let handle): return (.known(.namespace), handle)
                }
            } catch {
                return (.unreadable("\(error)"), nil)
            }
        }
    }

    package func make(_ place: Place) async throws {
        guard case .own(let name) = place.existence else { preconditionFailure("\(place.id) is not ours to make") }
        let handle: NamespaceHandle
        do throws(NetlinkError) {
            handle = try await .scratch()
        } catch {
            throw PlaceError("make a network namespace", error.errno ?? .ioError)
        }
        try await NamespaceMount(name: name).add(handle)
        await listener.meet(place, in: handle)
        remember(place, handle)
    }

    package func remove(_ place: Place) async throws {
        guard case .own(let name) = place.existence else { preconditionFailure("\(place.id) is not ours to remove") }
        leave(place)
        try await NamespaceMount(name: name).remove(node)
    }

    /// Closes what is open in a place that is gone.
    private func leave(_ place: Place) { listener.leave(place.id) }

    package func release() {
        entered.withLock { entered in
            // The listener learns when a place goes, and then nothing keeps it.
            entered = entered.filter { listener.listens(to: $0.key) }
            // Each socket has a thread.
            for place in entered.values where place.isLent { place.kernel.rest() }
        }
    }

    package func keepNotes() { notes.save() }

    package func open(_ place: Place) async throws -> any PlaceKernel { try live(place) }

    func live(_ place: Place) throws(PlaceError) -> LivePlace {
        if place.existence == .lent(.process) { return nodeKernel }
        guard let found = entered.withLock({ $0[place.id]?.kernel }) else {
            throw PlaceError(.other, "enter the place \(place.id)", hint: "its network namespace is gone")
        }
        return found
    }

    /// Remembers an entered place. An earlier entry stays valid only while the name stands for the same namespace.
    private func remember(_ place: Place, _ handle: NamespaceHandle) {
        if place.existence == .lent(.process) { return }
        entered.withLock { entered in
            if let before = entered[place.id]?.kernel, before.handle.isSame(as: handle) { return }
            entered[place.id] = Entered(kernel: live(in: handle), isLent: place.isLent)
        }
    }

    /// Access to a namespace that is not that of the process.
    func live(in handle: NamespaceHandle) -> LivePlace {
        LivePlace(handle: handle, isProcess: false, ipvs: nil, cache: cache, notes: notes)
    }
}
