import IPVSKit
import Netlink

/// Listens to what changes in the places of the mesh. Places come and go: a pass says which there are, and where.
///
/// A socket keeps its namespace alive, and with it interfaces whose other ends are elsewhere. So a place that is gone must
/// be left at once, or nobody would learn that it is.
package final class KernelListener: Sendable {
    /// A place that is listened to.
    fileprivate struct Ear {
        var namespace: UInt64?
        /// The file name of the namespace below `/run/netns`; nil if it has none there.
        var name: String?
        var filter: NoticeFilter
        var route: NotificationSocket
        var nftables: NotificationSocket
    }

    private struct State {
        /// Nil until somebody wants to listen.
        var onFailure: (@Sendable (PlaceID, any Error) -> Void)?
        var ears: [PlaceID: Ear] = [:]
        /// The places that the running pass has met.
        var met: Set<PlaceID> = []
    }

    private let state = Locked(State())
    /// Called when a place is left.
    private let onLeave: @Sendable (PlaceID) -> Void

    /// - Parameter onLeave: closes whatever else keeps the namespace of a place alive that is gone.
    package init(onLeave: @escaping @Sendable (PlaceID) -> Void = { _ in }) { self.onLeave = onLeave }

    /// Begins to listen to the places that are met from now on.
    ///
    /// - Parameter onFailure: called if a place cannot be listened to.
    func start(onFailure: @escaping @Sendable (PlaceID, any Error) -> Void) {
        state.withLock { $0.onFailure = onFailure }
    }

    /// Listens to a place that a pass has met, unless that is done already.
    func meet(_ place: Place, in namespace: NamespaceHandle) async {
        let inode = namespace.inode
        let onFailure: (@Sendable (PlaceID, any Error) -> Void)? = state.withLock { state in
            // Nobody has asked to be told, nor ends passes.
            guard let onFailure = state.onFailure else { return nil }
            state.met.insert(place.id)
            return state.ears[place.id].map { $0.namespace == inode } == true ? nil : onFailure
        }
        guard let onFailure else { return }
        state.withLock { _ = $0.ears.removeValue(forKey: place.id) }
        do {
            let ear = try await Self.ear(in: namespace, of: place, inode)
            state.withLock { $0.ears[place.id] = ear }
        } catch {
            onFailure(place.id, error)
        }
    }

    private static func ear(in namespace: NamespaceHandle, of place: Place, _ inode: UInt64?) async throws -> Ear {
        // Whatever changes between the two steps is told of.
        let route = try await NotificationSocket.open(.route, in: namespace)
        let nftables = try await NotificationSocket.open(.nftables, in: namespace)
        var ours: Set<Int32>?
        if place.isLent {
            let client = RouteClient(in: namespace)
            defer { client.close() }
            ours = Set(try await client.links().filter { $0.group == LivePlace.group }.map(\.index))
        }
        return Ear(
            namespace: inode, name: place.mountName, filter: NoticeFilter(ours: ours), route: route,
            nftables: nftables)
    }

    /// Leaves a place that is gone.
    func leave(_ place: PlaceID) {
        state.withLock { _ = $0.ears.removeValue(forKey: place) }
        onLeave(place)
    }

    /// Whether a place is listened to, so that its end will be known.
    func listens(to place: PlaceID) -> Bool { state.withLock { $0.ears[place] != nil } }

    /// Leaves the place whose namespace had a name below `/run/netns`, which it has no longer.
    ///
    /// - Returns: the place; nil if there is none.
    func leave(named name: String) -> PlaceID? {
        let place = state.withLock { state in state.ears.first { $0.value.name == name }?.key }
        if let place { leave(place) }
        return place
    }

    /// Forgets what was told until now, because everything is about to be read.
    func skip() { _ = drain() }

    /// Ends the pass.
    ///
    /// - Parameter isComplete: whether the pass has met all places that there are. The others are left.
    func endPass(isComplete: Bool) {
        let gone = state.withLock { state in
            defer { state.met = [] }
            return isComplete ? state.ears.keys.filter { !state.met.contains($0) } : []
        }
        for place in gone { leave(place) }
    }

    /// The descriptors that have something to read when there are messages.
    var descriptors: [CInt] {
        state.withLock { state in
            state.ears.values.flatMap { [$0.route.descriptor, $0.nftables.descriptor] }
        }
    }

    /// Reads all messages that have arrived.
    ///
    /// - Returns: the places in which something has changed that may concern the mesh.
    func drain() -> Set<PlaceID> {
        state.withLock { state in
            var places: Set<PlaceID> = []
            for place in state.ears.keys where state.ears[place]?.drain() == true { places.insert(place) }
            return places
        }
    }
}

extension KernelListener.Ear {
    fileprivate mutating func drain() -> Bool {
        var isNews = false
        var filter = filter
        if !route.drain({ isNews = filter.isNews($0) || isNews }) { isNews = true }
        self.filter = filter
        if !nftables.drain({ _ in isNews = true }) { isNews = true }
        return isNews
    }
}

extension Place {
    /// The name of the namespace below `/run/netns`; nil if it has none there.
    fileprivate var mountName: String? {
        switch existence {
        case .own(let name): name
        case .lent(.file(let path, _)): NamespaceMount.name(of: path)
        case .lent(.process): nil
        }
    }
}
