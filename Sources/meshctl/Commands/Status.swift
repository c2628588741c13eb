import ArgumentParser
import MeshKit

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the published ports, their tasks and connections.",
        discussion: """
            TASKS is the number of tasks that the kernel has, of those that were added. CONN/S and CONNS are counters of \
            the kernel, and lag by two seconds. A line below the table stands for each former path of a port that takes no \
            new connections and stays until those that are left have ended, and one for each task that starts slowly. If the kernel does not hold what it should, a line below the table says \
            so, and `meshctl plan` lists the differences.

            EXAMPLE
              meshctl status
              meshctl status --format json
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let (view, plan) = try await options.mesh().observe()
        plan.sayNotes()
        try format.print(StatusReport(view, plan))
    }
}
