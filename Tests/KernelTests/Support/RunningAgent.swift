import FakeKernel
import MeshKit
import SystemPackage
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// `meshctl agent` on a node, as a process of its own whose log goes to a file.
struct RunningAgent: Sendable {
    let process: pid_t
    private let log: FilePath
    private let status: FilePath

    /// Starts it and waits until its first pass is done.
    init(on node: MeshNodes.Node, of mesh: MeshNodes, options: String = "") async throws {
        try await self.init(
            in: node.namespace, named: node.name, files: mesh.topology.directory, mesh.environment(of: node),
            options: options)
    }

    /// Starts it and waits until its first pass is done.
    ///
    /// - Parameters:
    ///   - name: what its files in the folder are called.
    ///   - environment: the variables by which it knows which node it is on.
    init(
        in namespace: TestNamespace, named name: String, files: FilePath, _ environment: [String: String],
        options: String = ""
    ) async throws {
        log = files.appending("\(name).log")
        status = files.appending("\(name).status")
        let pid = files.appending("\(name).pid")
        let before = (try? log.text().count) ?? 0
        // The shell in the background outlives the one that starts it, and notes how the agent ends.
        let script = """
            rm -f \(status) \(pid)
            (
                set +e
                ip netns exec \(namespace.name) sh -c \
                    'echo $$ >\(pid).new; mv \(pid).new \(pid); exec \(try BuiltProducts.path("meshctl")) agent \(options)' \
                    2>>\(log)
                echo $? >\(status)
            ) </dev/null >/dev/null 2>&1 &
            until [ -s \(pid) ]; do sleep 0.01; done
            """
        try await Shell.check(
            ["env"] + environment.map { "\($0)=\($1)" } + ["sh", "-ec", script])
        guard let number = pid_t(try pid.text().dropLast()) else { throw Errno.noSuchProcess }
        process = number
        try await until("the first pass") { try text(from: before).contains("keeps it so") }
    }

    /// What it has logged from a character on.
    func text(from offset: Int = 0) throws -> String { String(try log.text().dropFirst(offset)) }

    /// How much it has logged.
    var logged: Int { get throws { try log.text().count } }

    /// Waits until it comes true, for twenty seconds, and gives the time that it took.
    @discardableResult
    func until(_ what: String, _ condition: () throws -> Bool) async throws -> Duration {
        let start = ContinuousClock.now
        while try !condition() {
            guard ContinuousClock.now < start + .seconds(20) else { throw Missed(what: what, log: try text()) }
            try await Task.sleep(for: .milliseconds(2))
        }
        return ContinuousClock.now - start
    }

    struct Missed: Error, CustomStringConvertible {
        var what: String
        var log: String
        var description: String { "\(what) did not come; the agent's log:\n\(log)" }
    }

    /// Sends it a signal.
    func signal(_ number: CInt) { kill(process, number) }

    /// Waits for its end, and gives the exit status: 128 and more if a signal has ended it.
    func ended() async throws -> Int32 {
        try await until("the end") { try access(status.string, F_OK) == 0 && !status.text().isEmpty }
        return Int32(try status.text().dropLast()) ?? -1
    }

    /// Ends it as systemd does.
    func stop() async throws {
        signal(SIGTERM)
        _ = try await ended()
    }
}

extension MeshNodes {
    /// Runs the body with an agent on each node that follows the spec. If the body fails, their logs are printed.
    func withAgents(following spec: MeshSpec, _ body: ([RunningAgent]) async throws -> Void) async throws {
        var agents: [RunningAgent] = []
        for node in nodes {
            try await FileSpecStore(directory: node.stateDirectory).update { $0 = spec }
            agents.append(try await RunningAgent(on: node, of: self))
        }
        defer { for agent in agents { agent.signal(SIGKILL) } }
        do {
            try await body(agents)
        } catch {
            for agent in agents { print("--- agent:\n\((try? agent.text()) ?? "")") }
            throw error
        }
    }

    /// The variables that say to meshctl which node it is on.
    func environment(of node: Node) -> [String: String] {
        [
            "MESHCTL_STATE_DIR": node.stateDirectory.string, "MESHCTL_RULES": tool.rawValue,
            "MESHCTL_NODE": node.name,
        ]
    }
}
