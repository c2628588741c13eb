import Hummingbird
import IPVSKit
import RuleKit

/// The changes that clients make through a running agent: one after the other, each to its end even if whoever asked for
/// it has gone.
public actor MeshChanges {
    /// What changes the mesh, and describes it. Each gives a JSON document.
    public struct Work: Sendable {
        /// Makes the mesh that a file describes.
        var apply: @Sendable (_ file: String, _ options: Application) async throws -> String
        /// Makes the changes that the kernel needs.
        var reconcile: @Sendable (_ retry: Bool, _ cutting: Bool) async throws -> String
        /// The whole mesh.
        var export: @Sendable () async throws -> String

        /// - Parameters:
        ///   - apply: makes the mesh that a file describes.
        ///   - reconcile: makes the changes that the kernel needs.
        ///   - export: the whole mesh, as a file that `apply` takes.
        public init(
            apply: @escaping @Sendable (_ file: String, _ options: Application) async throws -> String,
            reconcile: @escaping @Sendable (_ retry: Bool, _ cutting: Bool) async throws -> String,
            export: @escaping @Sendable () async throws -> String
        ) {
            self.apply = apply
            self.reconcile = reconcile
            self.export = export
        }
    }

    /// How a file is applied: the options of `meshctl apply`.
    public struct Application: Hashable, Sendable {
        /// Whether everything goes that the file's sections leave out.
        public var prunes = false
        /// Whether a file is applied although the mesh has edits that it lacks.
        public var forces = false
        /// Whether connections by former paths end at once.
        public var cuts = false
        /// Whether nothing is changed, and what would change is told.
        public var isDry = false

        /// By default a file is applied with patience, and takes away nothing that it does not name.
        public init(prunes: Bool = false, forces: Bool = false, cuts: Bool = false, isDry: Bool = false) {
            self.prunes = prunes
            self.forces = forces
            self.cuts = cuts
            self.isDry = isDry
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

    func apply(_ file: String, _ options: Application) async throws -> String {
        // What changes nothing waits for nobody.
        if options.isDry { return try await work.apply(file, options) }
        return try await perform { [work] in try await work.apply(file, options) }
    }

    func reconcile(retry: Bool, cutting: Bool) async throws -> String {
        try await perform { [work] in try await work.reconcile(retry, cutting) }
    }

    nonisolated func export() async throws -> String { try await work.export() }

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
        } catch let error where task.isCancelled && error.isCancellation {
            throw Refusal(
                .serviceUnavailable,
                hasEnded
                    ? "the agent ends, and nothing was changed: ask the next one, or run the command"
                    : "nothing was changed \(limit.overrun)"
            )
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

extension Error {
    /// Whether something was dropped since nobody waits for it any more.
    fileprivate var isCancellation: Bool {
        self is CancellationError || (self as? IPVSError)?.code == .cancelled
            || (self as? RuleError)?.code == .cancelled
    }
}
