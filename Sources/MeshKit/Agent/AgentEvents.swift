/// Where the agent learns that a pass may be necessary. ``NodeEvents`` is the real one; tests have another.
package protocol AgentEvents: Sendable {
    /// Begins to listen. What happens after this is news.
    ///
    /// - Parameter onFailure: called with what cannot be listened to, in words, and the reason.
    func start(onFailure: @escaping @Sendable (_ what: String, _ reason: any Error) -> Void) async throws
    /// Returns when the limit has passed, when the task is cancelled, or as soon as there is news of interest.
    func wait(for limit: Duration, listeningTo interest: AgentInterest) async throws
    /// What has happened since the last call.
    func drain() -> AgentNews
    /// Makes it news that a source has reported other tasks. May be called from anywhere.
    func tasksHaveChanged()
    /// Ends a pass.
    ///
    /// - Parameter generation: the generation of the spec that the pass has followed; nil if it failed.
    /// - Returns: what has happened since the pass looked. That the pass has written the ledger is no news.
    func endPass(following generation: UInt64?) async -> AgentNews
}
