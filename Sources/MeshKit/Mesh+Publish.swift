import Netlink
public import RuleKit

/// What publishing a port came to.
public struct Publication: Sendable {
    /// What is asked for now, and what was done.
    public var change: MeshChange
    /// What keeps clients from reaching it all the same, and what to type.
    public var warnings: [String]
}

extension Mesh {
    /// Publishes a port, as ``MeshState/publish(_:target:service:options:avoiding:)`` says it.
    ///
    /// - Parameter force: also where somebody on this node has the port already.
    /// - Throws: ``InputError`` where somebody has.
    public func publish(
        _ listening: PortBinding, target: UInt16, service: String, options: PublishOptions = PublishOptions(),
        force: Bool = false
    ) async throws -> Publication {
        let host = Locked<HostSurvey?>(nil)
        let change = try await change { state, observed in
            let isNew = state.publisher(of: listening) == nil
            try state.publish(listening, target: target, service: service, options: options, avoiding: observed.marks)
            guard isNew, let (_, port) = state.publisher(of: listening), let owner = state.services[service] else {
                return
            }
            let survey = await HostSurvey(port, of: owner, on: observed.node)
            if !force { try survey.refuseConflicts() }
            host.withLock { $0 = survey }
        }
        return Publication(
            change: change, warnings: host.withLock { $0 }?.warnings(change.state.rules) ?? [])
    }
}
