// CNetlink is imported for pthread_mutex_t: its headers were the first to import that type.
import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A value and the lock that guards it.
///
/// `Synchronization.Mutex` is not used: on Linux it is a futex in code that Thread Sanitizer does not see, which then
/// reports a race at every use. Thread Sanitizer knows pthread mutexes.
package final class Locked<Value>: @unchecked Sendable {
    // The class is Sendable because the value is accessible only through `withLock`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    package init(_ value: consuming sending Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
