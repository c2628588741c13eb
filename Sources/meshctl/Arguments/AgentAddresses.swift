import AgentAPI
import ArgumentParser
import SystemPackage

/// Where the agent of a state's folder answers by a Unix socket.
enum AgentSocket {
    static let help = ArgumentHelp(
        "The agent's socket (default: /run/meshctl/agent.sock, and agent.sock in another state folder).",
        valueName: "path")

    /// The socket. An agent of another state folder has a socket of its own, so that there can be several.
    ///
    /// - Parameters:
    ///   - name: the path that was given; nil if none was.
    ///   - folder: the state's folder.
    static func path(named name: String?, in folder: FilePath) throws -> FilePath {
        guard name != "" else { throw ValidationError("--socket is empty: name a path.") }
        if let name { return FilePath(name) }
        return folder == StateOptions.defaultFolder ? "/run/meshctl/agent.sock" : folder.appending("agent.sock")
    }
}

/// The options of the agent that say where it answers.
struct AgentAddresses: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Answer at this Unix socket, or `off` (default: /run/meshctl/agent.sock, and agent.sock in another state folder).",
            valueName: "path|off"),
        completion: .file())
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "Answer /metrics, /healthz and /readyz also at this TCP address, as 127.0.0.1:9809 or [::1]:9809.",
            valueName: "address:port"))
    var metrics: String?

    /// - Parameter folder: the state's folder.
    func all(in folder: FilePath) throws -> [AgentServer.Address] {
        var all: [AgentServer.Address] = []
        if socket != "off" { all.append(.socket(try AgentSocket.path(named: socket, in: folder))) }
        if let metrics {
            guard let address = MetricsAddress(metrics) else {
                throw ValidationError(
                    "--metrics is \(metrics.debugDescription): give an address of this node and a port, as in "
                        + "127.0.0.1:9809 or [::1]:9809.")
            }
            all.append(.tcp(address))
        }
        return all
    }
}
