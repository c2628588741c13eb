public import MeshKit
public import SystemPackage

/// The engines of this host that run containers, Docker or Podman, asked by their Engine API.
public struct ContainerEngine: Sendable {
    /// The sockets of the engines. The first that knows a container is believed.
    public var sockets: [FilePath]
    /// How long each engine may take for an answer.
    var deadline: Duration = .seconds(10)

    /// Where Docker and Podman listen, unless they are configured otherwise.
    public static let usualSockets: [FilePath] = ["/var/run/docker.sock", "/run/podman/podman.sock"]

    /// The engines at some sockets.
    public init(sockets: [FilePath] = Self.usualSockets) { self.sockets = sockets }

    /// Finds a running container.
    ///
    /// - Parameter name: the name of the container, or its id or the beginning of it.
    /// - Throws: ``InputError`` if no engine has such a container or if it does not run, and ``ContainerError`` if no
    ///   engine could be asked.
    public func container(_ name: String) async throws -> Container {
        try Container.validate(name: name)
        var (ignorant, failures): ([FilePath], [ContainerError]) = ([], [])
        for socket in sockets {
            do {
                if let container = try await ask(socket, for: name) { return container }
                ignorant.append(socket)
            } catch let error as ContainerError {
                failures.append(error)
            }
        }
        // An engine that does not run has no containers, unless there is no other engine.
        let serious = failures.filter { $0.code != .unavailable }
        if ignorant.isEmpty { throw Self.summary(failures, serious) }
        let engines = MeshSpec.listing(ignorant.map(\.string))
        let others = serious.map { "; \($0)" }.joined()
        throw InputError(
            "there is no container \(name) at \(engines)\(others); `docker ps` or `podman ps` lists those that run")
    }

    private static func summary(_ failures: [ContainerError], _ serious: [ContainerError]) -> ContainerError {
        guard serious.isEmpty, failures.count > 1 else {
            return serious.first ?? failures.first ?? ContainerError(.unavailable, "no engine's socket was named")
        }
        return ContainerError(.unavailable, failures.map(\.description).joined(separator: "; "))
    }

    /// Nil if the engine has no such container.
    private func ask(_ socket: FilePath, for name: String) async throws -> Container? {
        let answer = try await EngineClient(socket).get("/containers/\(name)/json", within: deadline)
        guard let found = try ContainerInspection(answer, of: name, at: socket) else { return nil }
        guard found.state.running, found.state.process > 0 else {
            throw InputError("container \(name) is not running: start it first")
        }
        try Container.validate(name: found.plainName)
        return Container(name: found.plainName, process: found.state.process)
    }
}
