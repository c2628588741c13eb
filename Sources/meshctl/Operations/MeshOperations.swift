import AgentAPI
import MeshKit

/// `meshctl reconcile`, whose options are in the query of a request.
struct ReconcileKernel: Operation, Equatable {
    static let path = "/v1/reconcile"
    static let parameters = ChangeRequest.Parameters(flags: ["retry", "now"])
    static let hasBody = false

    /// Whether places that this host refused before are tried again.
    var retries = false
    /// Whether connections by former paths end at once.
    var now = false

    var request: ChangeRequest {
        ChangeRequest(flags: Set([retries ? "retry" : nil, now ? "now" : nil].compactMap(\.self)))
    }

    func perform(on mesh: Mesh) async throws -> Outcome {
        let change = try await mesh.reconcile(retry: retries, cutting: now ? .all : .none)
        let refused = change.refusedSteps == 0 ? "" : " \(counted(change.refusedSteps, "change")) refused, see above."
        let isComplete = change.ledger.missing.isEmpty
        let summary =
            change.plan.isEmpty && refused.isEmpty
            ? PlanReport.nothingToDo(isComplete: isComplete)
            : "\(counted(change.plan.steps.count, "change")) made." + refused
        return Outcome(
            change, isComplete ? [] : change.ledger.refusalNotes, saying: change.plan.listing + [summary])
    }
}

extension ReconcileKernel {
    init(_ request: ChangeRequest) {
        self.init(retries: request.flags.contains("retry"), now: request.flags.contains("now"))
    }
}

/// `meshctl apply`, whose options are in the query of a request; its body is the file.
struct ApplyFile: Operation {
    static let path = "/v1/apply"
    static let parameters = ChangeRequest.Parameters(flags: ["prune", "force", "now", "dry-run"], texts: ["name"])
    static let hasBody = true

    /// The text of the file.
    let text: String
    /// What messages call the file.
    let name: String
    /// Whether parts of the mesh that the file's sections leave out are removed.
    let prunes: Bool
    /// Whether the file is applied although the mesh has edits that it lacks.
    let forces: Bool
    /// Whether connections by former paths end at once.
    let now: Bool
    let isDry: Bool
    private let file: MeshFile

    var checkedServices: [String] {
        (file.services ?? [:]).filter { _, service in
            if case .some(.some) = service.healthCheck { true } else { false }
        }
        .keys.sorted()
    }

    /// - Throws: `InputError` if the text is no mesh file.
    init(
        text: String, name: String, prunes: Bool = false, forces: Bool = false, now: Bool = false, isDry: Bool = false
    ) throws(InputError) {
        self.text = text
        self.name = name
        self.prunes = prunes
        self.forces = forces
        self.now = now
        self.isDry = isDry
        file = try MeshFile(yaml: text, name: name)
    }

    init(_ request: ChangeRequest) throws {
        let flags = request.flags
        try self.init(
            text: request.body, name: request.texts["name"] ?? "the request's body", prunes: flags.contains("prune"),
            forces: flags.contains("force"), now: flags.contains("now"), isDry: flags.contains("dry-run"))
    }

    var request: ChangeRequest {
        let flags = [("prune", prunes), ("force", forces), ("now", now), ("dry-run", isDry)]
        return ChangeRequest(flags: Set(flags.filter(\.1).map(\.0)), texts: ["name": name], body: text)
    }

    func perform(on mesh: Mesh) async throws -> Outcome {
        guard !isDry else {
            let preview = try await mesh.preview(file, pruning: prunes, forcing: forces)
            return Outcome(preview, orElse: "The mesh is as the file describes it.")
        }
        let applied = try await mesh.apply(file, pruning: prunes, forcing: forces, cutting: now)
        let change = applied.change
        let steps = counted(change.plan.steps.count, "change")
        let summary = change.didChange ? "now. \(steps) made to this kernel." : "as before. Nothing to do."
        return Outcome(applied, saying: ["The mesh has generation \(change.spec.meshGeneration) \(summary)"])
    }
}

/// `meshctl reset`.
struct ResetMesh: JSONOperation, Equatable {
    static let path = "/v1/reset"

    /// Whether parts of the mesh that the state folder does not know of are removed, too.
    var recovers = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let change = try await mesh.reset(recovering: recovers)
        let steps = counted(change.plan.steps.count, "change")
        return Outcome(
            change, saying: [change.plan.isEmpty ? "Nothing to remove." : "Removed everything: \(steps) made."])
    }
}

extension ResetMesh {
    init(from decoder: any Decoder) throws { recovers = try OperationFields(decoder, ["all"]).flag("all") }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(flag: recovers, "all")
    }
}
