import ArgumentParser
import MeshKit

struct Reset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take down everything that meshctl ever put up, and forget all services.",
        discussion: """
            Services, chains and sets of others stay as they are; settings of the kernel get the values they had.

            EXAMPLE
              meshctl reset
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let change = try await options.mesh().reset()
        let plan = change.plan
        options.report(plan)
        change.sayRefusal()
        try StandardOutput.print(
            [plan.isEmpty ? "Nothing was up." : "All is down; \(plan.steps.count) changes taken back."],
            afterChange: change.didChange)
    }
}
