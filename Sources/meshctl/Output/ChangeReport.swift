import MeshKit

/// What a change through the agent has done, or would do.
struct ChangeReport: Display {
    /// The mesh's generation after the change; nil if nothing was changed, but only told.
    var generation: UInt64?
    /// Whether the mesh or the kernel differs from before.
    var changed: Bool
    /// What would change in the mesh; nil if it was changed.
    var differences: [String]?
    /// What was done in the kernel, or would be.
    var changes: [PlanReport.Change]
    /// The former paths of ports that stay until their connections have ended.
    var retiring: [RetiringFields]
    /// What is left undone, and what keeps clients from a published port.
    var warnings: [String]
    let lines: [String] = []

    private enum CodingKeys: String, CodingKey {
        case generation, changed, differences, changes, retiring, warnings
    }

    init(_ change: MeshChange, _ warnings: [String] = []) {
        let report = PlanReport(change.plan, change.plan.notes + change.notices + warnings)
        (changes, retiring, self.warnings) = (report.changes, report.retiring, report.warnings)
        generation = change.spec.meshGeneration
        changed = change.didChange
    }

    init(_ preview: ChangePreview) {
        let report = PlanReport(preview.plan, preview.plan.notes)
        (changes, retiring, warnings) = (report.changes, report.retiring, report.warnings)
        changed = false
        differences = preview.differences
    }
}
