import ArgumentParser
import MeshKit

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what would change in the kernel, and change nothing.",
        discussion: """
            Exits with 0 where the kernel holds what it should, with 2 where it does not. What else on this node keeps
            clients from a published port, as a firewall, is said on standard error.

            EXAMPLE
              meshctl plan || meshctl reconcile
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let (plan, warnings) = try await options.mesh().planAndWarnings()
        for warning in warnings { StandardError.write("meshctl: \(warning)") }
        try format.print(PlanReport(plan, warnings))
        if !plan.isEmpty { throw ExitCode(ExitStatus.drift.rawValue) }
    }
}

/// `plan --format json`.
private struct PlanReport: Display {
    struct Change: Encodable {
        var part: Plan.Step.Part
        var action: String
        var reasons: [String]
    }

    var changes: [Change]
    var warnings: [String]
    let lines: [String]

    private enum CodingKeys: String, CodingKey { case changes, warnings }

    init(_ plan: Plan, _ warnings: [String]) {
        self.warnings = warnings
        changes = plan.steps.map { Change(part: $0.part, action: $0.action, reasons: $0.reasons) }
        lines =
            plan.isEmpty
            ? ["Nothing to do: the kernel holds what it should."]
            : plan.listing + ["\(counted(plan.steps.count, "change")).  Apply:  meshctl reconcile"]
    }
}

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
