import AgentAPI
import ArgumentParser
import Containers
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print what the agent does, as it happens.",
        discussion: """
            Each line is a line of the agent's log, from now on, until the agent or this command ends. --format json prints \
            an object on each line. If the output is read too slowly, events are lost, and a line says how many.

            EXAMPLE
              meshctl events
              meshctl events --format json | jq -r .message
            """)

    @OptionGroup var format: FormatOptions

    @Option(help: AgentSocket.help, completion: .file())
    var socket: String?

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "The state folder of the agent (default: $MESHCTL_STATE_DIR, else /var/lib/meshctl).", valueName: "dir"),
        completion: .directory)
    var stateDirectory: String?

    func run() async throws {
        let path = try AgentSocket.path(named: socket, in: try StateOptions.folder(named: stateDirectory))
        var lines = LineBuffer()
        var hasBegun = false
        do {
            try await EngineClient(path).follow("/v1/events", beginningWithin: .seconds(10)) { status, bytes in
                guard status == 200 else { throw AgentUnreachable.noAgent(path) }
                hasBegun = true
                for line in lines.take(bytes) { try print(line, from: path) }
            }
        } catch let error as ContainerError {
            throw AgentUnreachable(error.code, path, hasBegun: hasBegun)
        }
        throw AgentUnreachable.ended(path)
    }

    private func print(_ line: [UInt8], from path: FilePath) throws {
        guard let event = try? JSONDecoder().decode(AgentEvent.self, from: Data(line)) else {
            throw AgentUnreachable.noAgent(path)
        }
        switch format.format {
        case .json: try StandardOutput.write(line: String(decoding: line, as: UTF8.self).printableJSON)
        case .table:
            try StandardOutput.write(
                line: "\(event.time) \(event.level) \(LogLine.text(event.message, event.fields))".printable)
        }
    }
}

/// The agent cannot be asked.
struct AgentUnreachable: Error, CustomStringConvertible {
    var status: ExitStatus
    var description: String

    /// Something answers that is no agent.
    static func noAgent(_ path: FilePath) -> Self {
        Self(
            status: .failed,
            description: "\(path) does not answer as an agent does: name the agent's socket with --socket")
    }

    static func ended(_ path: FilePath) -> Self {
        Self(status: .unavailable, description: "the agent at \(path) has ended")
    }

    /// It has ended, or does not answer as an agent does, after it was asked to change something.
    static func lost(_ path: FilePath) -> Self {
        Self(
            status: .failed,
            description:
                "the agent at \(path) ended before it answered: `meshctl plan` and `meshctl status` show what was "
                + "done")
    }

    private init(status: ExitStatus, description: String) {
        self.status = status
        self.description = description
    }

    /// - Parameters:
    ///   - code: why the socket could not be asked.
    ///   - hasBegun: whether the agent had begun to answer.
    init(_ code: ContainerError.Code, _ path: FilePath, hasBegun: Bool) {
        switch code {
        case .unavailable:
            self.init(
                status: .unavailable,
                description:
                    "no agent answers at \(path): start one (systemctl start meshctl, or meshctl agent), or name "
                    + "its socket with --socket")
        case .notPermitted:
            self.init(
                status: .notPermitted,
                description: "\(path) does not let this user in: run meshctl as root, with sudo")
        case .failed: self = hasBegun ? .ended(path) : .noAgent(path)
        }
    }
}
