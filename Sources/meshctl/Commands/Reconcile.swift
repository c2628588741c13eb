import ArgumentParser
import MeshKit

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Make the changes that the kernel needs to hold what it should.",
        discussion: """
            If a task or a port was removed, or if a live port got another target or another balancer, its former path stays \
            until its last connection has ended, or until its time is over, and the next pass after that removes it. --now \
            cuts the connections and removes all such paths.

            A part of the mesh that this host refused is not tried again by every pass. --retry tries it once more. The exit \
            status is 1 if a part is missing that ports or tasks need: all but the way from 127.0.0.1.

            EXAMPLE
              meshctl reconcile
            """)

    @Flag(help: "Try again what this host refused before, such as the way from 127.0.0.1 to published ports.")
    var retry = false

    @OptionGroup var patience: Patience

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        // The changes are on standard output already.
        let outcome = try await options.perform(ReconcileKernel(retries: retry, now: patience.now), listing: false)
        try outcome.print()
        if !outcome.missing.isEmpty { throw ExitCode(ExitStatus.failed.rawValue) }
    }
}
