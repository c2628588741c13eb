import ArgumentParser

@main
struct Meshctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meshctl",
        abstract: "A routing mesh without a cluster manager: publish a port, and the kernel's IPVS spreads it.",
        discussion: """
            EXAMPLE
              meshctl task add nginx 10.0.0.11
              meshctl task add nginx 10.0.0.12
              meshctl publish 1080:80 nginx
              meshctl status

            EXIT STATUS
              0   done
              1   failed
              2   plan: the kernel does not hold what it should
              64  wrong usage
              65  bad input
              69  the kernel or a tool lacks what is needed
              77  not permitted
            """,
        version: "0.1.0",
        subcommands: [
            Publish.self, Unpublish.self, ServiceCommand.self, TaskCommand.self, Status.self, PlanCommand.self,
            Reconcile.self, Reset.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let failure = Failure(error) else { exit(withError: error) }
            StandardError.write("meshctl: \(failure.message)")
            exit(withError: ExitCode(failure.status.rawValue))
        }
    }
}
