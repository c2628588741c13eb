/// A value that costs something to make, for everybody who asks within a moment: all who ask while it is made wait for the
/// same, and it is given away for a while afterwards, also if making it failed.
actor Recent<Value: Sendable> {
    private struct Made {
        var task: Task<Value, any Error>
        /// When it was made; nil while it is being made.
        var end: ContinuousClock.Instant?
    }

    private let lifetime: Duration
    private let make: @Sendable () async throws -> Value
    private var last: Made?

    /// - Parameters:
    ///   - lifetime: for how long a value is given away.
    ///   - make: makes the value. It goes on even if all who asked have gone.
    init(for lifetime: Duration, _ make: @escaping @Sendable () async throws -> Value) {
        self.lifetime = lifetime
        self.make = make
    }

    /// The value as it was made a moment ago, or a new one.
    ///
    /// - Parameter limit: how long to wait for it.
    /// - Throws: ``AgentServerError`` if it is not made in time, and whatever makes it fail.
    func value(within limit: Duration) async throws -> Value {
        let task = current()
        let (results, answer) = AsyncStream<Result<Value, any Error>>.makeStream()
        Task {
            answer.yield(await task.result)
            answer.finish()
        }
        let alarm = Task {
            try await Task.sleep(for: limit)
            answer.finish()
        }
        defer { alarm.cancel() }
        for await result in results { return try result.get() }
        throw AgentServerError("there was no answer \(limit.overrun)")
    }

    private func current() -> Task<Value, any Error> {
        if let last, last.end.map({ .now - $0 < lifetime }) ?? true { return last.task }
        let task = Task { [make] in
            let result: Result<Value, any Error>
            do { result = .success(try await make()) } catch { result = .failure(error) }
            self.last?.end = .now
            return try result.get()
        }
        last = Made(task: task)
        return task
    }
}
