/// Suspends the caller until the continuation is resumed, and calls `onCancel` where its task is cancelled meanwhile,
/// or was before; who resumes it remains `body`'s business.
///
/// The caller stays on its actor. `withTaskCancellationHandler` takes an operation that, unless an actor is captured in
/// it, runs on Swift's pool: a caller on an actor, as all of a program's main code is, would be switched to a thread of
/// the pool before it is suspended, and back once it is resumed.
func withCancellableContinuation<Value: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (CheckedContinuation<Value, Never>) -> Void,
    onCancel: @Sendable () -> Void
) async -> Value {
    await withTaskCancellationHandler {
        _ = isolation
        return await withCheckedContinuation(body)
    } onCancel: {
        onCancel()
    }
}
