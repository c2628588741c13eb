import ArgumentParser
import MeshKit

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the changes that the kernel needs to hold what it should.",
        discussion: """
            EXAMPLE
              meshctl reconcile
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let change = try await options.mesh().reconcile()
        let plan = change.plan
        change.sayRefusal()
        let summary =
            plan.isEmpty
            ? "Nothing to do: the kernel holds what it should." : "\(counted(plan.steps.count, "change")) made."
        try StandardOutput.print(plan.listing + [summary], afterChange: change.didChange)
    }
}
