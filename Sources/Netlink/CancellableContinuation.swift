/// Suspends the caller until the continuation is resumed, and calls `onCancel` if its task is cancelled meanwhile, or
/// was before. Resuming the continuation remains the responsibility of `body`.
///
/// The caller stays on its actor. The operation of `withTaskCancellationHandler` runs on Swift's pool unless it
/// captures an actor. A caller on an actor, such as the main code of a program, would then switch to a thread of the
/// pool before it is suspended, and back when it is resumed.
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
