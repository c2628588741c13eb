import SystemPackage

/// Waits until something holds, at most half a minute.
func eventually(_ condition: () async throws -> Bool) async throws {
    for _ in 0..<300 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(100))
    }
    throw Errno.timedOut
}
