import Subprocess
import SystemPackage

/// The result of a program that a test ran.
package struct Ran: Sendable, CustomStringConvertible {
    package var command: [String]
    /// The exit status; 128 plus the signal's number if a signal ended the program.
    package var status: Int32
    package var output: String
    package var error: String

    package var description: String {
        "$ \(command.joined(separator: " "))\nexit status \(status)\n\(output)\(error)"
    }
}

/// Runs programs by path, or by name from PATH.
package enum Shell {
    /// Runs a program and returns its result, even if it fails.
    package static func run(
        _ command: [String], environment: [String: String] = [:], input: String = ""
    ) async throws -> Ran {
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment { changes[Environment.Key(stringLiteral: name)] = value }
        let program: Executable = command[0].contains("/") ? .path(FilePath(command[0])) : .name(command[0])
        // Given a name, Subprocess starts a process for each folder of PATH that does not have the program.
        let path = try await program.resolveExecutablePath(in: .inherit.updating(changes))
        let result = try await Subprocess.run(
            .path(path), arguments: Arguments(Array(command.dropFirst())), environment: .inherit.updating(changes),
            input: .string(input), output: .string(limit: 32 << 20), error: .string(limit: 1 << 20))
        let status: Int32 =
            switch result.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        return Ran(
            command: command, status: status, output: result.standardOutput, error: result.standardError)
    }

    /// Runs a program that must succeed, and gives what it printed.
    @discardableResult
    package static func check(_ command: String...) async throws -> String {
        try await check(command)
    }

    /// Runs a program that must succeed, and gives what it printed.
    @discardableResult
    package static func check(_ command: [String], input: String = "") async throws -> String {
        let ran = try await run(command, input: input)
        guard ran.status == 0 else { throw Failed(ran: ran) }
        return ran.output
    }

    package struct Failed: Error, CustomStringConvertible {
        package var ran: Ran
        package init(ran: Ran) { self.ran = ran }
        package var description: String { "\(ran)" }
    }
}
