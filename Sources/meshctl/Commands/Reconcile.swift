import ArgumentParser
import MeshKit

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the kernel hold what it should: one pass.",
        discussion: """
            EXAMPLE
              meshctl reconcile
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let change = try await options.mesh().reconcile()
        let plan = change.plan
        change.sayRefusal()
        try StandardOutput.print(
            plan.listing
                + [plan.isEmpty ? "Nothing to do: the kernel holds what it should." : "\(plan.steps.count) done."],
            afterChange: change.didChange)
    }
}
