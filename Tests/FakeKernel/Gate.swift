import Netlink
package import SystemPackage

/// What every operation on the fake kernel and on the fake stores passes: where a test cuts a pass off, or lets one
/// operation fail.
package final class Gate: Sendable {
    /// The process is dead: whatever it still asks for does not happen.
    package struct Killed: Error {}

    private struct State {
        var operations: [String] = []
        var cut: Int?
        var failure: (number: Int, errno: Errno)?
        var refused: (words: String, errno: Errno)?
        var hidden: (words: String, errno: Errno)?
        var isDead = false
    }

    private let state = Locked(State())

    package init() {}

    /// The operations that took effect or were let fail, in words, in their order.
    package var operations: [String] { state.withLock(\.operations) }

    /// Whether the process was cut off.
    package var isDead: Bool { state.withLock(\.isDead) }

    /// Begins anew: no operation yet, a live process.
    ///
    /// - Parameters:
    ///   - cut: after so many operations the process is dead.
    ///   - failure: which operation is refused, counted from 1, and with what.
    package func begin(cutAfter cut: Int? = nil, failing failure: (number: Int, errno: Errno)? = nil) {
        state.withLock { state in
            state = State()
            state.cut = cut
            state.failure = failure
            state.isDead = cut == 0
        }
    }

    /// From now on refuses the operations that have some words in them; nil refuses none.
    package func refuse(_ words: String?, with errno: Errno = .invalidArgument) {
        state.withLock { $0.refused = words.map { ($0, errno) } }
    }

    /// Asked by each operation before it takes effect.
    ///
    /// - Returns: what it is refused with; nil where it may go on.
    package func refusal(of operation: String) throws(Killed) -> Errno? {
        let answer: (isDead: Bool, errno: Errno?) = state.withLock { state in
            if let cut = state.cut, state.operations.count >= cut { state.isDead = true }
            if state.isDead { return (true, nil) }
            state.operations.append(operation)
            if let failure = state.failure, failure.number == state.operations.count { return (false, failure.errno) }
            if let refused = state.refused, operation.contains(refused.words) { return (false, refused.errno) }
            return (false, nil)
        }
        if answer.isDead { throw Killed() }
        return answer.errno
    }

    /// From now on lets the looks fail that have some words in them; nil lets none fail.
    package func hide(_ words: String?, with errno: Errno = .ioError) {
        state.withLock { $0.hidden = words.map { ($0, errno) } }
    }

    /// Asked by what only looks.
    package func look() throws(Killed) { if isDead { throw Killed() } }

    /// Asked by what only looks, and can fail.
    ///
    /// - Parameter words: what it looks at, in words.
    /// - Returns: what it fails with; nil where it may go on.
    package func look(at words: String) throws(Killed) -> Errno? {
        try look()
        return state.withLock { state in
            state.hidden.flatMap { words.contains($0.words) ? $0.errno : nil }
        }
    }
}
