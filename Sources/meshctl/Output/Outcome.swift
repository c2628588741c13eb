import IPVSKit
import MeshKit

/// What an operation has done, or would do. A command prints it, and the agent sends it to those who have asked for the
/// operation, so that it holds all that there is to print.
struct Outcome: Display, Codable, Sendable {
    /// A task that the operation was about.
    struct ConcernedTask: Codable, Equatable, Sendable {
        var address: IPAddress
        /// The addresses at which balancers reach it.
        var destinations: [IPAddress]

        init(_ task: SpecTask) {
            address = task.address
            destinations = task.destinations
        }
    }

    /// The mesh's generation after the change; nil if nothing was changed, but only told.
    var generation: UInt64?
    /// Whether the mesh or the kernel differs from before.
    var changed: Bool
    /// What would change in the mesh; nil if it was changed.
    var differences: [String]?
    /// What was done in the kernel, or would be.
    var changes: [PlanReport.Change]
    /// How many changes that only help the kernel has refused. The warnings say why.
    var refused = 0
    /// The parts of the mesh that this host has refused, and that ports or tasks need. The warnings say why.
    var missing: [PlaceID] = []
    /// The former paths of ports that stay until their connections have ended.
    var retiring: [RetiringFields]
    /// The tasks that have less than their share of new connections.
    var startingSlowly: [StartingFields]
    /// What is left undone, and what keeps clients from a published port.
    var warnings: [String]
    /// The tasks that the operation was about.
    var tasks: [ConcernedTask] = []
    /// What the command prints on standard output, line by line.
    var output: [String]

    var lines: [String] { output }

    private init(_ plan: Plan, changed: Bool, _ warnings: [String], saying output: [String]) {
        self.changed = changed
        changes = plan.steps.map(PlanReport.Change.init)
        retiring = plan.retiring.map(RetiringFields.init)
        startingSlowly = plan.starting.map(StartingFields.init)
        self.warnings = plan.notes + warnings
        self.output = output
    }

    /// - Parameters:
    ///   - warnings: what is not in the plan.
    ///   - tasks: the tasks that it was about.
    ///   - output: what the command prints on standard output.
    init(_ change: MeshChange, _ warnings: [String] = [], of tasks: [SpecTask] = [], saying output: [String]) {
        self.init(change.plan, changed: change.didChange, change.notices + warnings, saying: output)
        generation = change.spec.meshGeneration
        refused = change.refusedSteps
        missing = change.ledger.missing.sorted()
        self.tasks = tasks.map(ConcernedTask.init)
    }

    init(_ publication: Publication, saying output: [String]) {
        self.init(publication.change, publication.warnings, saying: output)
    }

    init(_ tasks: TaskChange, saying output: [String]) {
        self.init(tasks.change, tasks.warnings, of: tasks.tasks, saying: output)
    }

    /// What an operation would do: first to the mesh, and then to this kernel.
    ///
    /// - Parameter nothing: stands for differences of the mesh if there are none.
    init(_ preview: ChangePreview, orElse nothing: String) {
        let steps = preview.plan.listing
        self.init(
            preview.plan, changed: false, [],
            saying: (preview.differences.isEmpty ? [nothing] : preview.differences)
                + (steps.isEmpty ? [] : ["", "This kernel would change:"] + steps))
        differences = preview.differences
    }
}

extension Outcome {
    /// What a command prints on standard error, line by line.
    ///
    /// - Parameter listing: whether the changes to the kernel are among it.
    func messages(listing: Bool) -> [String] {
        // What only would be done has not retired anything, and stands in the output.
        if differences != nil { return warnings.map { "meshctl: \($0)" } }
        let starting = startingSlowly.map {
            "\($0); the agent takes the steps, or else each command the one that is due"
        }
        return (listing ? changes.listing : [])
            + (warnings + retiring.map(\.description) + starting).map { "meshctl: \($0)" }
    }

    /// Prints what a command prints on standard output.
    func print() throws { try StandardOutput.print(output, afterChange: changed) }
}

extension MeshChange {
    /// What people are to know of a change besides the notes of its plan: the parts that this host refused (sets that are
    /// left behind, and 127.0.0.1), and who finds again what the change has removed.
    fileprivate var notices: [String] {
        let left: [String] = remnants.map { "\($0); remove that, and `meshctl reconcile` takes it away" }
        return left
            + refusals.sorted { $0.key < $1.key }.map { place, reason in "\(place.loss): \(reason)" }
            + forgotten.map(\.description).sorted().map {
                "\($0) has found what was removed, and finds it again while the agent runs: stop the container, "
                    + "or give it the label meshctl.enable=false"
            }
    }
}
