import Testing

@testable import Netlink

#if canImport(Glibc)
    import Glibc
#endif

@Suite(.timeLimit(.minutes(1))) struct CancellableContinuationTests {
    /// A switch to a thread of the pool, before the caller is suspended, would be seen.
    @MainActor @Test func theCallerStaysOnItsActor() async {
        let before = pthread_self()
        let inside = await withCancellableContinuation { caller in
            caller.resume(returning: pthread_self())
        } onCancel: {
        }
        #expect(inside == before)
        MainActor.preconditionIsolated()
    }

    @Test func aCancelledTaskIsTold() async {
        let waiting = Locked<CheckedContinuation<Bool, Never>?>(nil)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await withCancellableContinuation { caller in
                waiting.withLock { $0 = caller }
                if Task.isCancelled { waiting.withLock { $0.take() }?.resume(returning: true) }
            } onCancel: {
                waiting.withLock { $0.take() }?.resume(returning: true)
            }
        }
        #expect(await task.value)
    }
}
