import MeshKit

extension EngineClient {
    /// Asks for the containers that run, and for the networks.
    func list(_ limits: ContainerSource.Limits) async throws(ContainerError) -> EngineSession.Answer {
        let networks = try await networks(limits)
        let answer = try await get("/containers/json", within: limits.answer)
        guard try answer.isFound(at: socket), let entries: [ListedContainer] = answer.decoded() else {
            throw ContainerError(.failed, "\(socket) gives no list of containers, and is perhaps no engine")
        }
        let list = Dictionary(entries.map { ($0.id, ContainerInspection($0)) }) { first, _ in first }
        return .list(list, networks: networks)
    }

    /// Looks at a container.
    ///
    /// - Parameters:
    ///   - isStopping: whether to look at its sockets, too.
    ///   - known: the ids of the networks that are known.
    func look(
        at id: String, isStopping: Bool, knowing known: Set<String>, _ limits: ContainerSource.Limits
    ) async -> EngineSession.Answer {
        do throws(ContainerError) {
            let answer = try await get("/containers/\(Self.escaped(id))/json", within: limits.look)
            let found = try ContainerInspection(answer, of: id, at: socket)
            let isKnown = found?.networkIDs.isSubset(of: known) ?? true
            return .container(
                id, .success(found), networks: isKnown ? nil : try await networks(limits),
                isListening: isStopping && found?.isListening == true)
        } catch {
            return .container(id, .failure(error), networks: nil)
        }
    }

    private func networks(_ limits: ContainerSource.Limits) async throws(ContainerError) -> [EngineNetwork] {
        let answer = try await get("/networks", within: limits.answer)
        guard try answer.isFound(at: socket), let networks: [EngineNetwork] = answer.decoded() else {
            throw ContainerError(.failed, "\(socket) gives no list of networks, and is perhaps no engine")
        }
        return networks
    }
}
