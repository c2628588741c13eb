package import MeshKit

/// The number of attempts before an update gives up. Even with many writers, each loses to every other one at most a
/// few times.
private let maximumAttempts = 50

extension SpecStore {
    /// Loads the spec, edits it and swaps it in. If another writer was faster, all of this is repeated. An edit that
    /// changes nothing writes nothing.
    ///
    /// - Parameter edit: called once for each attempt, each time with the newest spec.
    /// - Returns: the stored spec.
    /// - Throws: the errors of the edit, of ``load()`` and of ``swap(_:replacing:)``. A ``StoreError`` with the code
    ///   `conflict` means that others were faster fifty times in a row.
    @discardableResult
    package func update(_ edit: (inout MeshSpec) async throws -> Void) async throws -> MeshSpec {
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
                // The delay is random, so that writers that lost to the same one do not meet again.
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...min(attempt * 2, 20))))
                attempt += 1
            }
        }
    }
}
