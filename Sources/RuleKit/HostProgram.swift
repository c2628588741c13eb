package import Netlink
import Subprocess
import SystemPackage

/// A program of the host, iptables and its like. All are run from here, with `LC_ALL=C` because their output is parsed, and
/// with a deadline.
package struct HostProgram: Sendable {
    /// What a program that ended left.
    package struct Ran: Sendable {
        package var isSuccess: Bool
        package var output: String
        package var error: String
    }

    private let command: [String]
    private let input: String
    /// Stays open for as long as the program may look for it.
    private let namespace: NamespaceHandle?

    /// - Parameters:
    ///   - command: the program, as a path or as a name to look for in `PATH`, and its arguments.
    ///   - input: what it reads from its standard input.
    ///   - namespace: stays open until the program has ended.
    package init(_ command: [String], input: String = "", keeping namespace: NamespaceHandle? = nil) {
        self.command = command
        self.input = input
        self.namespace = namespace
    }

    /// Runs it. Nil where there is no such program.
    ///
    /// A program that has not ended by the deadline is killed. It may be in the kernel, which then carries out what the
    /// program has told it to before the program ends: so the ``Hold`` of the task is kept until it has.
    package func run(deadline: Duration, _ operation: String) async throws(RuleError) -> Ran? {
        let task = Locked<Task<Void, Never>?>(nil)
        let outcome: Result<Ran?, RuleError>
        do throws(NetlinkError) {
            outcome = try await Awaited.value(deadline: deadline) { awaited in
                let hold = Hold.current
                task.withLock {
                    $0 = Task {
                        awaited.finish(.success(await end(operation)))
                        withExtendedLifetime((hold, namespace)) {}
                    }
                }
                return nil
            }
        } catch {
            task.withLock { $0?.cancel() }
            throw RuleError(error, waitingFor: name, deadline: deadline, operation: operation)
        }
        return try outcome.get()
    }

    /// What is named in messages: the program that `nsenter` runs, and not `nsenter`.
    private var name: String {
        command.firstIndex(of: "--").map { command[$0 + 1] } ?? command[0]
    }

    /// Waits for the end. Where the task is cancelled, the program is killed.
    private func end(_ operation: String) async -> Result<Ran?, RuleError> {
        do {
            let program: Executable = command[0].contains("/") ? .path(FilePath(command[0])) : .name(command[0])
            // Given a name, Subprocess starts a process for each folder of PATH that does not have the program.
            let path = try await program.resolveExecutablePath(in: .inherit)
            let result = try await Subprocess.run(
                .path(path), arguments: Arguments(Array(command.dropFirst())),
                environment: .inherit.updating(["LC_ALL": "C"]), input: .string(input),
                output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
            return .success(
                Ran(
                    isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput,
                    error: result.standardError))
        } catch let failure as SubprocessError where failure.code == .executableNotFound {
            return .success(nil)
        } catch {
            return .failure(RuleError(code: .refused, operation: operation, reason: "\(name): \(error)"))
        }
    }
}
