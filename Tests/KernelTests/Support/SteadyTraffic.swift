import IPVSKit
import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// Requests one after the other, at most twenty a second unless said otherwise, to ports that must go on to answer.
final class SteadyTraffic: Sendable {
    private struct State {
        var isOver = false
        var count = 0
        /// The answers that were none, with what ran meanwhile.
        var lost: [String] = []
        var moment = ""
    }

    private let state = Locked(State())

    /// What is being done, for the message about a lost request.
    func now(_ moment: String) { state.withLock { $0.moment = moment } }
    func end() { state.withLock { $0.isOver = true } }
    var count: Int { state.withLock(\.count) }
    var lost: [String] { state.withLock(\.lost) }

    /// Asks from a client until the end.
    ///
    /// - Parameters:
    ///   - targets: the addresses and ports, and how their answers begin.
    ///   - pause: the microseconds between two requests.
    ///   - ask: makes a request; by default one to a ``Responder``.
    func run(
        from client: TestNamespace, _ targets: [(address: IPAddress, port: UInt16, answer: String)],
        pausing pause: UInt32 = 50_000,
        by ask: @escaping @Sendable (IPAddress, UInt16) -> String = { Request.steady($0, port: $1).answer() }
    ) async throws {
        try await client.thread { [self] in
            while !state.withLock(\.isOver) {
                for target in targets {
                    let before = state.withLock(\.moment)
                    let answer = ask(target.address, target.port)
                    state.withLock { state in
                        state.count += 1
                        if !answer.hasPrefix(target.answer) {
                            state.lost.append("\(target.address):\(target.port): \(answer), during \(before)")
                        }
                    }
                    usleep(pause)
                }
            }
        }
    }
}
