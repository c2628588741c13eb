import Hummingbird

/// The changes that clients make through a running agent: one after the other, each to its end even if whoever asked for
/// it has gone.
public actor MeshChanges {
    /// What changes the mesh, and describes it.
    public struct Work: Sendable {
        /// What clients can ask for.
        var offered: [OfferedChange]
        /// The whole mesh, as a JSON document.
        var export: @Sendable () async throws -> String
        /// What a client is told of an error.
        var explain: @Sendable (any Error) -> OperationFailure

        /// - Parameters:
        ///   - offered: what clients can ask for.
        ///   - export: the whole mesh, as a JSON document.
        ///   - explain: what a client is told of an error.
        public init(
            _ offered: [OfferedChange], export: @escaping @Sendable () async throws -> String,
            explaining explain: @escaping @Sendable (any Error) -> OperationFailure
        ) {
            self.offered = offered
            self.export = export
            self.explain = explain
        }
    }

    private let work: Work
    /// How long a change may take to begin in the kernel. Looking at the rules of other programs alone takes up to 30 seconds.
    private let limit: Duration
    /// The changes that have not ended, in their order.
    private var tasks: [(number: Int, task: Task<String, any Error>)] = []
    private var count = 0
    private var hasEnded = false

    /// - Parameters:
    ///   - work: what makes the changes.
    ///   - limit: how long a change may take to begin in the kernel, with the time that it waits for others.
    public init(_ work: Work, within limit: Duration = .seconds(60)) {
        self.work = work
        self.limit = limit
    }

    /// How many changes have not ended.
    var unfinished: Int { tasks.count }

    nonisolated var offered: [OfferedChange] { work.offered }

    nonisolated func export() async throws -> String { try await work.export() }

    nonisolated func explain(_ error: any Error) -> OperationFailure {
        // What a query lacks is known here already.
        error as? OperationFailure ?? work.explain(error)
    }

    /// Makes a change, and gives the document of what was done.
    ///
    /// - Throws: a refusal if the change does not begin in time or the agent ends, and whatever makes the change fail.
    func make(_ change: OfferedChange, _ asked: ChangeRequest) async throws -> String {
        let prepared = try change.prepare(asked)
        // What changes nothing waits for nobody.
        return try await prepared.isDry ? prepared.make() : perform(prepared.make)
    }

    private func perform(_ body: @escaping @Sendable () async throws -> String) async throws -> String {
        let before = tasks.last?.task
        let task = Task {
            _ = await before?.result
            try Task.checkCancellation()
            return try await body()
        }
        // Whoever has waited so long has gone, perhaps, and the mesh may be another by then. A change that has begun is not
        // stopped by this.
        let alarm = Task { [limit] in
            try await Task.sleep(for: limit)
            task.cancel()
        }
        count += 1
        let number = count
        tasks.append((number, task))
        if hasEnded { task.cancel() }
        defer {
            alarm.cancel()
            tasks.removeAll { $0.number == number }
        }
        do {
            return try await task.value
        } catch is CancellationError where task.isCancelled {
            throw Refusal(
                .serviceUnavailable,
                hasEnded
                    ? OperationFailure("the agent ends, and nothing was changed: ask the next one, or run the command")
                    : OperationFailure("nothing was changed \(limit.overrun)", exitStatus: 1))
        }
    }

    /// Waits until a change that has begun in the kernel has been finished or taken back. One that only looks or waits is
    /// dropped, and those behind it do not begin.
    func end() async {
        hasEnded = true
        for (_, task) in tasks { task.cancel() }
        for (_, task) in tasks { _ = await task.result }
    }
}
