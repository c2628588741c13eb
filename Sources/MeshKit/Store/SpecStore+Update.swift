/// How often an update is tried before it gives up. With many writers, each loses to every other one at most a few times.
private let maximumAttempts = 50

extension SpecStore {
    /// Loads the spec, edits it and swaps it in; where somebody was faster, all of that once more. An edit that changes
    /// nothing writes nothing.
    ///
    /// - Parameter edit: called once for each attempt, each time with the newest spec.
    /// - Returns: the spec as it is stored now.
    /// - Throws: what the edit throws, and what ``load()`` and ``swap(_:replacing:)`` do; a ``StoreError`` with the code
    ///   `conflict` only where somebody was faster fifty times in a row.
    @discardableResult
    public func update(_ edit: (inout MeshSpec) async throws -> Void) async throws -> MeshSpec {
        var attempt = 1
        while true {
            let old = try await load()
            var new = old
            try await edit(&new)
            new.generation = old.generation
            guard new != old else { return old }
            do {
                try await swap(new, replacing: old.generation)
                new.generation &+= 1
                return new
            } catch let error as StoreError where error.code == .conflict && attempt < maximumAttempts {
                // At random, so that those who lost to the same writer do not meet again.
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...min(attempt * 2, 20))))
                attempt += 1
            }
        }
    }
}
