import ArgumentParser

#if canImport(Glibc)
    import Glibc
#endif

@main
struct Meshctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meshctl",
        abstract: """
            Publish a port, and the kernel's load balancer, IPVS, spreads its connections over your servers on any node.
            """,
        discussion: """
            EXAMPLE
              meshctl task add nginx 10.0.0.11
              meshctl task add nginx 10.0.0.12
              meshctl publish 1080:80 nginx
              meshctl status

            EXIT STATUS
              0   success
              1   failure, or the output could not be written
              2   plan: the kernel does not hold what it should
              64  wrong usage
              65  invalid input
              69  the kernel or a tool lacks a feature, or no agent runs
              77  permission denied
            """,
        version: "0.1.0",
        subcommands: [
            Publish.self, Unpublish.self, ServiceCommand.self, TaskCommand.self, NetworkCommand.self, NodeCommand.self,
            Status.self, PlanCommand.self, Reconcile.self, AgentCommand.self, Events.self, Apply.self, Export.self,
            Reset.self,
        ])

    static func main() async {
        StandardStreams.prepare()
        var begun: (any ParsableCommand.Type)?
        do {
            try ProcessText.checkArguments()
            var command = try parseAsRoot()
            begun = type(of: command)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            // A script that reads no warning must be able to rely on there being none.
            if StandardError.hasFailed { Glibc.exit(ExitStatus.failed.rawValue) }
        } catch {
            Glibc.exit(status(of: error, in: begun))
        }
    }

    /// Prints an error and returns the exit status. The argument parser throws help and the version as errors, too.
    ///
    /// - Parameter command: the command that has thrown it; nil if none had begun.
    private static func status(of error: any Error, in command: (any ParsableCommand.Type)? = nil) -> Int32 {
        if let failure = Failure(error) {
            for line in failure.lines { StandardError.write("meshctl: \(line)") }
            return failure.status.rawValue
        }
        let (status, text) = (exitCode(for: error), fullMessage(for: error))
        if text.isEmpty { return status.rawValue }
        guard status.isSuccess else {
            if let command, let mistake = error as? ValidationError {
                StandardError.write(text: self.text(of: mistake, in: command))
            } else {
                StandardError.write(text: hinting(text, about: Array(CommandLine.arguments.dropFirst())))
            }
            return status.rawValue
        }
        do {
            try StandardOutput.print(text: text)
        } catch {
            return self.status(of: error)
        }
        return status.rawValue
    }
}
