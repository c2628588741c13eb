import ArgumentParser
import MeshKit

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the published ports, their tasks and connections.",
        discussion: """
            TASKS counts those that the kernel has, of those asked for. Where the kernel is not as it should be, that
            is said below, and `meshctl plan` says how.
            CONN/S and CONNS are the kernel's and lag by two seconds.

            EXAMPLE
              meshctl status
              meshctl status --format json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let (state, observed, plan) = try await options.mesh().observe()
        try format.print(StatusReport(state, observed, plan))
    }
}
