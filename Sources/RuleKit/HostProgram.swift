import Subprocess
import SystemPackage

/// The programs of the host that are run, iptables and its like. All are run from here and with `LC_ALL=C`, since what they
/// print is read.
package enum HostProgram {
    /// What a program that has ended left behind.
    package struct Ended: Sendable {
        package var isSuccess: Bool
        package var output: String
        package var error: String
    }

    /// Runs a program to its end, in the namespace of the process.
    ///
    /// - Parameters:
    ///   - program: a path, or a name to look for in `PATH`.
    ///   - input: what it reads from its standard input.
    /// - Throws: `SubprocessError` where it cannot be started, or prints more than 64 MiB.
    package static func run(
        _ program: String, _ arguments: [String] = [], input: String = ""
    ) async throws -> Ended {
        let result = try await Subprocess.run(
            program.contains("/") ? .path(FilePath(program)) : .name(program), arguments: Arguments(arguments),
            environment: .inherit.updating(["LC_ALL": "C"]), input: .string(input), output: .string(limit: 64 << 20),
            error: .string(limit: 1 << 20))
        return Ended(
            isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput, error: result.standardError)
    }
}
