import ArgumentParser
import MeshKit

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show which changes the kernel needs, without making them.",
        discussion: """
            Former paths of ports that still have connections stand at the beginning, with the number of connections. They \
            are no changes. The exit status is 0 if the kernel holds what it should, and 2 if it needs changes. Warnings on standard \
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
        if !plan.isEmpty { throw ExitCode(ExitStatus.drift.rawValue) }
    }
}

/// `plan --format json`.
struct PlanReport: Display {
    struct Change: Encodable {
        var part: Plan.Step.Part
        var action: String
        var reasons: [String]
    }

    var changes: [Change]
    var retiring: [RetiringFields]
    var warnings: [String]
    let lines: [String]

    private enum CodingKeys: String, CodingKey { case changes, retiring, warnings }

    init(_ plan: Plan, _ warnings: [String]) {
        self.warnings = warnings
        changes = plan.steps.map { Change(part: $0.part, action: $0.action, reasons: $0.reasons) }
        retiring = plan.retiring.map(RetiringFields.init)
        lines =
            plan.retiringLines
            + (plan.isEmpty
                ? ["Nothing to do: the kernel holds what it should."]
                : plan.listing + ["\(counted(plan.steps.count, "change")) to make.  Apply:  meshctl reconcile"])
    }
}
