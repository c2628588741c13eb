/// Keeps a resource, such as a lock, for as long as something may still change the kernel.
///
/// A call that misses its deadline returns, but the thread or program that it waited for may still carry out its task.
/// A holder of a lock against other writers puts the lock into a `Hold` and makes that the current one:
///
/// ```swift
/// let hold = Hold { lock.release() }
/// try await Hold.$current.withValue(hold) { try await pass() }
/// ```
///
/// Every thread and program that is started meanwhile keeps the hold until it has ended. The lock is released with the
/// last reference: at once if nothing is left running, otherwise when the last of them ends. The end of the process
/// releases it, too.
package final class Hold: Sendable {
    /// The hold of the running task; nil if nothing must be held.
    @TaskLocal package static var current: Hold?

    private let release: @Sendable () -> Void

    package init(_ release: @escaping @Sendable () -> Void) { self.release = release }

    deinit { release() }
}
