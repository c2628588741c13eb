import Netlink
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
        let end = ContinuousClock.now + deadline
        let result: Result<HTTPResponse, UnixSocketError> = try await DetachedThread.run {
            Result { () throws(UnixSocketError) in
                try HTTPRequest.get("/containers/\(name)/json", at: socket, until: end)
            }
        }
        let response: HTTPResponse
        do {
            response = try result.get()
        } catch {
            throw ContainerError(error, at: socket)
        }
        let refusal = ContainerRefusal(json: response.body)?.message
        switch response.status {
        case 200: break
        case 404 where refusal != nil: return nil
        default:
            let words = refusal.map { ": \($0)" } ?? ", and is perhaps no engine"
            throw ContainerError(.failed, "\(socket) answers with the status \(response.status)\(words)")
        }
        guard let found = ContainerInspection(json: response.body) else {
            throw ContainerError(
                .failed, "\(socket) gives no description of the container \(name), and is perhaps no engine")
        }
        guard found.state.running, found.state.process > 0 else {
            throw InputError("container \(name) is not running: start it first")
        }
        let known = found.name.hasPrefix("/") ? String(found.name.dropFirst()) : found.name
        try Container.validate(name: known)
        return Container(name: known, process: found.state.process)
    }
}

extension ContainerError {
    init(_ error: UnixSocketError, at socket: FilePath) {
        switch error {
        case .cannotConnect(.noSuchFileOrDirectory), .cannotConnect(.notDirectory):
            self.init(
                .unavailable,
                "there is no socket \(socket): start Docker or Podman's socket, or name another with --docker-socket")
        case .cannotConnect(.connectionRefused):
            self.init(.unavailable, "nobody listens at \(socket): start Docker or Podman's socket")
        case .cannotConnect(.permissionDenied), .cannotConnect(.notPermitted):
            self.init(.notPermitted, "\(socket) does not let this user in: run meshctl as root, with sudo")
        case .cannotConnect(let errno): self.init(.failed, "\(socket) cannot be connected to: \(errno)")
        case .interrupted(let errno): self.init(.failed, "the connection to \(socket) broke: \(errno)")
        case .tooLate:
            self.init(.failed, "\(socket) did not answer in time: look whether the engine is well, and try again")
        case .malformed(let fault): self.init(.failed, "\(socket) does not answer as an engine does: \(fault)")
        }
    }
}
