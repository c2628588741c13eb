import ArgumentParser
import MeshKit

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show which changes the kernel needs, without making them.",
        discussion: """
            Former paths of ports that still have connections stand at the beginning, with the number of connections. They \
            are no changes. The exit status is 0 if the kernel holds what it should, and 2 if it needs changes, or if this \
            host has refused a part of the mesh. Warnings on standard \
            error name what else on this node keeps clients from a published port, such as a firewall.

            EXAMPLE
              meshctl plan || meshctl reconcile
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let (plan, warnings) = try await options.mesh().planAndWarnings()
        plan.sayNotes()
        for warning in warnings { StandardError.write("meshctl: \(warning)") }
        try format.print(PlanReport(plan, plan.notes + warnings))
        if !plan.isEmpty || !plan.missing.isEmpty { throw ExitCode(ExitStatus.drift.rawValue) }
    }
}

/// `plan --format json`.
struct PlanReport: Display {
    /// A change to the kernel.
    struct Change: Codable, Equatable, Sendable {
        var part: Plan.Step.Part
        var place: PlaceID
        var action: String
        var reasons: [String]

        init(_ step: Plan.Step) {
            part = step.part
            place = step.place
            action = step.action
            reasons = step.reasons
        }
    }

    var changes: [Change]
    var retiring: [RetiringFields]
    var warnings: [String]

    /// Whether this host has refused no part of the mesh that ports or tasks need.
    private let isComplete: Bool

    static func nothingToDo(isComplete: Bool) -> String {
        isComplete
            ? "Nothing to do: the kernel holds what it should."
            : "Nothing to do but for what this host has refused, see above."
    }

    private enum CodingKeys: String, CodingKey { case changes, retiring, warnings }

    init(_ plan: Plan, _ warnings: [String]) {
        self.warnings = warnings
        isComplete = plan.missing.isEmpty
        changes = plan.steps.map(Change.init)
        retiring = plan.retiring.map(RetiringFields.init)
    }

    var lines: [String] {
        retiring.map(\.description)
            + (changes.isEmpty
                ? [Self.nothingToDo(isComplete: isComplete)]
                : changes.listing + ["\(counted(changes.count, "change")) to make.  Apply:  meshctl reconcile"])
    }
}

extension [PlanReport.Change] {
    /// The changes as lines to print. Each begins with a tilde; its reasons stand below it.
    var listing: [String] {
        flatMap { change in
            Plan.Step.lines(change.part, change.action, because: change.reasons).enumerated().map { index, line in
                index == 0 ? "~ " + line : line
            }
        }
    }
}

extension Plan {
    /// The steps as lines to print.
    var listing: [String] { steps.map(PlanReport.Change.init).listing }

    /// Prints on standard error what the plan leaves undone, and why.
    func sayNotes() {
        for note in notes { StandardError.write("meshctl: \(note)") }
    }
}
