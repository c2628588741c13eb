import ArgumentParser
import Containers
import MeshKit
import SystemPackage

/// The network namespace of a task, as people name it.
struct NamespaceArguments: ParsableArguments {
    enum Choice {
        /// The file of the namespace.
        case file(String)
        /// The name or id of a container.
        case container(String)
    }

    @Option(
        help: ArgumentHelp(
            "The task's network namespace: a name that `ip netns list` shows, or a path.", valueName: "name|path"))
    var netns: String?

    @Option(help: ArgumentHelp("A process in the task's network namespace.", valueName: "number"))
    var pid: Int32?

    @Option(
        help: ArgumentHelp("The task's container of Docker or Podman, on this node.", valueName: "name"),
        completion: Existing.containers)
    var container: String?

    /// Nil if none is given.
    func choice() throws -> Choice? {
        switch (netns, pid, container) {
        case (nil, nil, nil): return nil
        case (nil, let pid?, nil):
            guard pid > 0 else { throw ValidationError("\(pid) is no number of a process.") }
            return .file("/proc/\(pid)/ns/net")
        case (let name?, nil, nil):
            guard !name.isEmpty, name != ".", name != ".." else {
                throw ValidationError("--netns names no namespace: give a name that `ip netns list` shows, or a path.")
            }
            if name.hasPrefix("/") { return .file(name) }
            guard !name.contains("/") else {
                throw ValidationError("write a path from the root on, as in /run/netns/web.")
            }
            return .file("/run/netns/\(name)")
        case (nil, nil, let name?):
            return .container(try ContainerArgument.parse(name))
        default:
            throw ValidationError("--netns, --pid and --container each name the namespace: give one of them.")
        }
    }
}

/// The name or id of a container.
enum ContainerArgument: TextArgument {
    static func read(_ text: String) throws(InputError) -> String {
        try Container.validate(name: text)
        return text
    }
}

/// Where containers are looked up.
struct EngineArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The socket of Docker or Podman (default: $DOCKER_HOST, else where they usually listen).",
            valueName: "path"),
        completion: .file())
    var dockerSocket: String?

    /// The engines to ask if a container was chosen.
    func engine(for choice: NamespaceArguments.Choice) throws -> ContainerEngine {
        guard case .container = choice else {
            if dockerSocket == nil { return ContainerEngine() }
            throw ValidationError("--docker-socket says where --container is looked up: leave it out without one.")
        }
        return try chosenSocket().map { ContainerEngine(sockets: [$0]) } ?? ContainerEngine()
    }

    /// What finds the containers of this host: the engine that was chosen, or those that are there.
    func sources() throws -> [ContainerSource] {
        if let socket = try chosenSocket() { return [ContainerSource("docker", at: socket)] }
        return ContainerEngine.usualSockets.map {
            ContainerSource($0.stem ?? "docker", at: $0, isOptional: true)
        }
    }

    /// The socket that the option or the environment names; nil if neither does.
    private func chosenSocket() throws -> FilePath? {
        if let dockerSocket {
            guard dockerSocket.hasPrefix("/") else {
                throw ValidationError("--docker-socket takes a path from the root on, as in /var/run/docker.sock.")
            }
            return FilePath(dockerSocket)
        }
        guard let host = try ProcessText.environment("DOCKER_HOST") else { return nil }
        let scheme = "unix://"
        guard host.hasPrefix(scheme + "/") else {
            throw ValidationError(
                "DOCKER_HOST is \(host.debugDescription), and only a socket of this host can be asked: set it as in "
                    + "unix:///var/run/docker.sock, or name the socket with --docker-socket.")
        }
        return FilePath(String(host.dropFirst(scheme.count)))
    }
}
