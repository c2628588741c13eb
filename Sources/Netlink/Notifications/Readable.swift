import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Waits for descriptors without blocking a thread of Swift's pool.
package enum Readable {
    private final class Signal: Sendable {
        let wakeUp: WakeUp
        init() throws(Errno) { wakeUp = try WakeUp() }
    }

    /// Returns as soon as one of the descriptors has something to read, when the limit has passed, or when the task is
    /// cancelled. The descriptors must stay open until then.
    ///
    /// - Throws: an error if the process has no descriptor or thread left for waiting.
    package static func wait(for descriptors: [CInt], limit: Duration) async throws {
        let signal = try Signal()
        try await withTaskCancellationHandler {
            try await DetachedThread.run { signal.wakeUp.wait(orReadableAmong: descriptors, for: limit) }
        } onCancel: {
            signal.wakeUp.signal()
        }
    }
}
