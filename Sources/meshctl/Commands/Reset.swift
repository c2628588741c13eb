import ArgumentParser
import MeshKit

struct Reset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove everything that meshctl put into the kernel, and forget all services.",
        discussion: """
            IPVS services, chains and sets of other programs stay as they are. Kernel settings get back the values that \
            they had before meshctl.

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
            [plan.isEmpty ? "Nothing to remove." : "Removed everything: \(counted(plan.steps.count, "change")) made."],
            afterChange: change.didChange)
    }
}
