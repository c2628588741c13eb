public import IPVSKit
import RuleKit

/// Tasks that leave or drain. Their open connections go on, and new ones go elsewhere.
extension Mesh {
    /// Removes a task from a service. Its open connections go on until they end, or until the time is over that their
    /// port gives them (``PublishedPort/drain``). Flows of UDP go to another task at once.
    ///
    /// - Parameter cutting: ends the connections at once.
    public func removeTask(
        _ address: IPAddress, service: String, cutting: Bool = false
    ) async throws -> TaskChange {
        try await edit(.address(address), service: service, cutting: cutting) { spec, _ throws(InputError) in
            let tasks = spec.services[service]?.tasks.filter { $0.address == address } ?? []
            try spec.removeTask(address, service: service)
            return tasks
        }
    }

    /// Lets tasks of a service drain: they stay in the spec, and get no new connections. Flows of UDP go to another task
    /// at once.
    public func drain(_ which: TaskSelection, service: String) async throws -> TaskChange {
        let change = try await edit(which, service: service) { spec, which throws(InputError) in
            try spec.drain(which, service: service)
        }
        return try await warning(ofTasksFoundElsewhere: change)
    }

    /// Lets tasks of a service take new connections again.
    public func undrain(_ which: TaskSelection, service: String) async throws -> TaskChange {
        let change = try await edit(which, service: service) { spec, which throws(InputError) in
            try spec.undrain(which, service: service)
        }
        return try await warning(ofTasksFoundElsewhere: change)
    }

    /// Each node knows better than any file what its own sources have found, so that no file tells it of a drain.
    private func warning(ofTasksFoundElsewhere change: TaskChange) async throws -> TaskChange {
        let own = try await currentLedger().node
        var change = change
        let nodes = Set(change.tasks.compactMap(\.origin?.node)).subtracting([own])
        change.warnings += nodes.sorted().map { node in
            let tasks = change.tasks.filter { $0.origin?.node == node }.map { "\($0.address)" }
            return
                "the agent of node \(node) has found \(MeshSpec.listing(tasks)), and node \(node) does not learn of this by "
                + "`meshctl apply`: run the command there as well"
        }
        return change
    }

    /// Edits tasks of a service.
    func edit(
        _ which: TaskSelection, service: String, cutting: Bool = false,
        _ edit: @Sendable @escaping (inout MeshSpec, TaskSelection) throws(InputError) -> [SpecTask]
    ) async throws -> TaskChange {
        let which = try await resolved(which, service: service)
        return try await tasks(cutting: cutting ? .tasks(which, service: service) : .none) { spec, _ in
            (try edit(&spec, which), nil)
        }
    }

    /// The selection with the name of its node. On this node, another path of a namespace than the one by which its task
    /// was attached does as well.
    private func resolved(_ which: TaskSelection, service: String) async throws -> TaskSelection {
        let own = try await currentLedger().node
        let which = which.naming(own)
        guard case .namespace(let path, own) = which else { return which }
        let tasks = try await store.load().services[service]?.tasks ?? []
        guard !tasks.contains(where: { $0.isAmong(which) }) else { return which }
        let inode: UInt64
        do {
            inode = try await kernel.taskFacts(at: path).inode
        } catch is InputError {
            // No namespace of a task is there, and so no task.
            return which
        }
        let task = tasks.first { $0.node == own && $0.attachment?.inode == inode }
        return task.map { .address($0.address) } ?? which
    }

    // MARK: Waiting

    /// Runs passes until no connection of a drain is left, or until its time is over.
    ///
    /// - Parameters:
    ///   - tasks: the tasks that drain, or have left.
    ///   - change: the change by which the drain began.
    ///   - interval: how long to wait between two passes.
    ///   - onLook: called after each pass with the connections to the tasks that are left.
    public func awaitDrain(
        of tasks: [SpecTask], after change: MeshChange, every interval: Duration = .seconds(1),
        onLook: ([RetiringConnections]) -> Void = { _ in }
    ) async throws -> DrainOutcome {
        try await awaitDrain(
            of: Set(tasks.flatMap(\.destinations)), beginningWith: change.plan.retiring, every: interval, onLook: onLook
        )
    }

    /// Runs passes until no connection to some addresses is left of a drain, or until its time is over.
    ///
    /// - Parameters:
    ///   - addresses: the addresses at which balancers reach the tasks that drain, or have left.
    ///   - first: the connections that the change left by which the drain began. If another process has made it, their
    ///     time is known by the seconds that are left of it.
    ///   - interval: how long to wait between two passes.
    ///   - onLook: called after each pass with the connections to the addresses that are left.
    package func awaitDrain(
        of addresses: Set<IPAddress>, beginningWith first: [RetiringConnections],
        every interval: Duration = .seconds(1), onLook: ([RetiringConnections]) -> Void = { _ in }
    ) async throws -> DrainOutcome {
        var before: [RetiringConnections] = []
        var paths = first.map { $0.knowingEnd(from: kernel.now()) }
        while true {
            let left = paths.filter { addresses.contains($0.destination.address) && $0.connections != 0 }
            onLook(left)
            let now = kernel.now()
            if let outcome = DrainOutcome(left, after: before, now: now) { return outcome }
            before = left
            try await Task.sleep(for: interval)
            paths = try await reconcile().plan.retiring
        }
    }
}

extension SpecTask {
    /// The addresses at which balancers reach the task.
    package var destinations: [IPAddress] { Balancing.allCases.flatMap(addresses) }
}

/// How a drain ended.
public enum DrainOutcome: Hashable, Sendable {
    /// No connection is left.
    case done
    /// The time of the drain is over, and these connections were cut.
    case cut([RetiringConnections])
    /// The time of the drain is over, and these connections go on: their task is still in the spec.
    case left([RetiringConnections])

    /// The outcome, if the drain has ended.
    ///
    /// - Parameters:
    ///   - left: the connections that are left.
    ///   - before: the connections that were left one look earlier.
    init?(_ left: [RetiringConnections], after before: [RetiringConnections], now: BootTime) {
        func isOver(_ path: RetiringConnections) -> Bool { path.until.map { $0 <= now } ?? false }
        if left.isEmpty {
            let cut = before.filter { isOver($0) && !$0.isDraining }
            self = cut.isEmpty ? .done : .cut(cut)
        } else if left.allSatisfy({ $0.isDraining && isOver($0) }) {
            self = .left(left)
        } else {
            return nil
        }
    }
}
