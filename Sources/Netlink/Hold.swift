/// What must stay held for as long as something may still change the kernel.
///
/// A call that misses its deadline returns, and the thread or the program that it waited for may yet carry out what it was
/// told to. Whoever holds a lock against other writers puts it into a `Hold` and makes that the current one:
///
/// ```swift
/// let hold = Hold { lock.release() }
/// try await Hold.$current.withValue(hold) { try await pass() }
/// ```
///
/// All that is begun meanwhile keeps the hold until it has ended. The lock is released with the last reference: at once
/// where nothing is left running, and else when that returns, which the end of the process does, too.
package final class Hold: Sendable {
    /// The hold of the running task; nil where nothing must be held.
    @TaskLocal package static var current: Hold?

    private let release: @Sendable () -> Void

    package init(_ release: @escaping @Sendable () -> Void) { self.release = release }

    deinit { release() }
}
