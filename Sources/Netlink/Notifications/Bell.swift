package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A descriptor that has something to read once somebody has rung, for a thread that waits for other descriptors, too.
package final class Bell: Sendable {
    private let wakeUp: WakeUp

    package init() throws(Errno) { wakeUp = try WakeUp() }

    /// The descriptor, which is read by nobody else.
    package var descriptor: CInt { wakeUp.descriptor }

    /// Makes the descriptor readable.
    package func ring() { wakeUp.signal() }

    /// Makes the descriptor unreadable until somebody rings again.
    package func silence() {
        var count: UInt64 = 0
        _ = read(wakeUp.descriptor, &count, 8)
    }
}
