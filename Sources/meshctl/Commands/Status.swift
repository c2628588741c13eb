import ArgumentParser
import MeshKit

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the published ports, their tasks and connections.",
        discussion: """
            TASKS counts those that the kernel has, of those asked for; where they differ, `meshctl plan` says why.
            CONN/S and CONNS are the kernel's and lag by two seconds.

            EXAMPLE
              meshctl status
              meshctl status --format json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let (state, observed) = try await options.mesh().observe()
        let report = StatusReport(state, observed)
        if report.ports.isEmpty, format.format == .table {
            print("Nothing is published. Begin with:  meshctl publish PORT:TARGET SERVICE")
        } else {
            try format.print(report)
        }
    }
}
