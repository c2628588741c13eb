import ArgumentParser
import MeshKit

struct Reconcile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the changes that the kernel needs to hold what it should.",
        discussion: """
            A part of the mesh that this host refused is not tried again by every pass. --retry tries it once more.

            EXAMPLE
              meshctl reconcile
            """)

    @Flag(help: "Try again what this host refused before, such as the way from 127.0.0.1 to published ports.")
    var retry = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let change = try await options.mesh().reconcile(retry: retry)
        let plan = change.plan
        change.plan.sayNotes()
        change.sayRefusal()
        let refused = change.refusedSteps == 0 ? "" : " \(counted(change.refusedSteps, "change")) refused, see above."
        let summary =
            plan.isEmpty && refused.isEmpty
            ? "Nothing to do: the kernel holds what it should."
            : "\(counted(plan.steps.count, "change")) made." + refused
        try StandardOutput.print(plan.listing + [summary], afterChange: change.didChange)
    }
}
