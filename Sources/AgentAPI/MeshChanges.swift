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
        /// Whether a file is applied although the mesh is newer.
        public var forces = false
        /// Whether connections by former paths end at once.
        public var cuts = false
        /// Whether nothing is changed, and what would change is told.
        public var isDry = false
    }

    private let work: Work
    /// The changes that have not ended, in their order.
    private var tasks: [(number: Int, task: Task<String, any Error>)] = []
    private var count = 0
    private var hasEnded = false

    /// - Parameter work: what makes the changes.
    public init(_ work: Work) { self.work = work }

    func apply(
        _ file: String, pruning: Bool, forcing: Bool, cutting: Bool, isDry: Bool
    ) async throws -> String {
        let options = Application(prunes: pruning, forces: forcing, cuts: cutting, isDry: isDry)
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
            if hasEnded { throw AgentServerError("the agent ends: ask the next one, or run the command") }
            return try await body()
        }
        count += 1
        let number = count
        tasks.append((number, task))
        defer { tasks.removeAll { $0.number == number } }
        return try await task.value
    }

    /// Waits until a change that has begun in the kernel has been finished or taken back. One that only looks or waits is
    /// dropped, and those behind it do not begin.
    func end() async {
        hasEnded = true
        for (_, task) in tasks { task.cancel() }
        for (_, task) in tasks { _ = await task.result }
    }
}
