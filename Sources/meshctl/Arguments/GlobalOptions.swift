import ArgumentParser
import IPVSKit
import Logging
import MeshKit
import RuleKit
import SystemPackage

/// The options of every command that say where the mesh is saved and how it is carried out.
struct StateOptions: ParsableArguments {
    enum Rules: String, ExpressibleByArgument, CaseIterable {
        case auto, nftables, iptables

        /// Nil for `auto`: the tool that is in use, else nftables where the kernel supports it, else iptables.
        var tool: RuleTool? {
            switch self {
            case .auto: nil
            case .nftables: .nftables
            case .iptables: .iptables
            }
        }
    }

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "The folder in which the mesh is saved (default: $MESHCTL_STATE_DIR, else /var/lib/meshctl).",
            valueName: "dir"),
        completion: .directory)
    var stateDirectory: String?

    @Option(
        help: """
            The tool that writes the rules (default: $MESHCTL_RULES, else auto). auto keeps the tool that wrote the rules \
            that are there; without rules it takes nftables where the kernel supports it, else iptables.
            """)
    var rules: Rules?

    @Flag(name: .shortAndLong, help: "Print each change to the kernel on standard error.")
    var verbose = false

    /// - Throws: `ValidationError` where the name of the folder is empty or not UTF-8.
    func folder() throws -> FilePath { try Self.folder(named: stateDirectory) }

    static let defaultFolder: FilePath = "/var/lib/meshctl"

    /// - Parameter name: the name that was given; nil if none was.
    static func folder(named name: String?) throws -> FilePath {
        // An empty name comes from an unset variable in a script; the user did not ask for the default folder.
        guard name != "" else { throw ValidationError("--state-dir is empty: name a folder.") }
        return try (name ?? ProcessText.environment("MESHCTL_STATE_DIR")).map { FilePath($0) } ?? defaultFolder
    }

    fileprivate func chosenRules() throws -> Rules {
        if let rules { return rules }
        guard let name = try ProcessText.environment("MESHCTL_RULES") else { return .auto }
        guard let rules = Rules(rawValue: name) else {
            let names = Rules.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("MESHCTL_RULES is \(name.debugDescription); it must be one of \(names).")
        }
        return rules
    }
}

/// The options of every command but those that name a task's node.
struct GlobalOptions: MeshOptions {
    @Option(
        help: ArgumentHelp(
            "The name of this node (default: $MESHCTL_NODE, else the name it has, at first the host's).",
            valueName: "name"),
        completion: Existing.nodes)
    var node: String?

    @OptionGroup var state: StateOptions

    func ownNode() throws -> String? {
        guard node != "" else { throw ValidationError("--node is empty: give this node a name.") }
        return try node ?? ProcessText.environment("MESHCTL_NODE")
    }
}

/// The options that lead to the mesh.
protocol MeshOptions: ParsableArguments {
    var state: StateOptions { get }
    /// The name that this node is to have; nil keeps its name.
    func ownNode() throws -> String?
}

extension MeshOptions {
    /// The spec in the state's folder.
    func store() throws -> FileSpecStore {
        FileSpecStore(directory: try state.folder(), node: try ownNode() ?? Ledger.hostName())
    }

    /// This node's ledger in the same folder.
    func ledger() throws -> LedgerFile {
        LedgerFile(directory: try state.folder(), node: try ownNode() ?? Ledger.hostName())
    }

    /// The mesh of the network namespace that the command runs in.
    func mesh() throws -> Mesh {
        let level: Logger.Level = state.verbose ? .debug : .error
        let logger = Logger(label: "meshctl") { _ in StandardErrorLog(logLevel: level) }
        return try mesh(logger: logger) {
            StandardError.write("waiting for another meshctl that works on the same state")
        }
    }

    /// The mesh of the network namespace that the command runs in.
    ///
    /// - Parameters:
    ///   - logger: gets what the client of IPVS logs.
    ///   - onWait: called if another process works on the same state for longer than a second.
    func mesh(logger: Logger, onWait: @escaping @Sendable () -> Void) throws -> Mesh {
        try meshes(logger: logger, onWait: onWait)()
    }

    /// What makes values of the same mesh, for those who look at it beside one another.
    func meshes(logger: Logger, onWait: @escaping @Sendable () -> Void) throws -> @Sendable () throws -> Mesh {
        let (store, ledger, rules, node) = (try store(), try ledger(), try state.chosenRules(), try ownNode())
        try NotPermitted.check()
        return {
            try Mesh(
                store: store, ledger: ledger, ipvs: try IPVS(logger: logger), tool: rules.tool, nodeName: node,
                onWait: onWait)
        }
    }

    /// Edits the saved mesh and changes the kernel accordingly.
    ///
    /// - Parameter cut: which connections end at once.
    func change(
        cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        let change = try await mesh().change(cutting: cut, edit)
        report(change)
        return change
    }

    /// Edits the saved mesh and changes the kernel accordingly, and prints a line; or prints what that would change.
    ///
    /// - Parameter cut: which connections end at once.
    func edit(
        dryRun: Bool, cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void,
        summary: (SavedMesh) -> String
    ) async throws {
        if dryRun { return try await mesh().preview(edit).print(orElse: "Nothing would change in the mesh.") }
        let change = try await change(cutting: cut, edit)
        try StandardOutput.print(
            [change.didChange ? summary(SavedMesh(change)) : "Nothing to do: the mesh is so already."],
            afterChange: change.didChange)
    }

    func report(_ change: MeshChange) {
        report(change.plan)
        change.sayNotices()
        change.plan.sayRetiring()
        change.plan.sayStarting()
    }

    func report(_ publication: Publication) { report(publication.change, publication.warnings) }
    func report(_ tasks: TaskChange) { report(tasks.change, tasks.warnings) }

    private func report(_ change: MeshChange, _ warnings: [String]) {
        report(change)
        for warning in warnings { StandardError.write("meshctl: \(warning)") }
    }

    func report(_ plan: Plan) {
        plan.sayNotes()
        guard state.verbose else { return }
        for line in plan.listing { StandardError.write(line) }
    }
}

extension Plan {
    /// Prints on standard error what the plan leaves undone, and why.
    func sayNotes() {
        for note in notes { StandardError.write("meshctl: \(note)") }
    }

    /// Prints on standard error which former paths of ports stay until their connections have ended.
    func sayRetiring() {
        for line in retiringLines { StandardError.write("meshctl: " + line) }
    }

    /// Prints on standard error which tasks start slowly, and who takes the steps.
    func sayStarting() {
        for line in starting.map(\.description) {
            StandardError.write("meshctl: \(line); the agent takes the steps, or else each command the one that is due")
        }
    }

    /// A line for each former path of a port that stays until its connections have ended, and for each task that drains.
    var retiringLines: [String] { retiring.map(\.description) }

    /// The steps as lines to print. Each step begins with a tilde; its reasons stand below it.
    var listing: [String] {
        steps.flatMap { step in step.lines.enumerated().map { index, line in index == 0 ? "~ " + line : line } }
    }
}

extension MeshChange {
    /// What people are to know of a change besides the notes of its plan: the parts that this host refused (sets that are
    /// left behind, and 127.0.0.1), and who finds again what the change has removed.
    var notices: [String] {
        let left: [String] = remnants.map { "\($0); remove that, and `meshctl reconcile` takes it away" }
        return left
            + refusals.sorted { $0.key < $1.key }.map { place, reason in "\(place.loss): \(reason)" }
            + forgotten.map(\.description).sorted().map {
                "\($0) has found what was removed, and finds it again while the agent runs: stop the container, "
                    + "or give it the label meshctl.enable=false"
            }
    }

    /// Prints on standard error what people are to know.
    func sayNotices() {
        for notice in notices { StandardError.write("meshctl: \(notice)") }
    }
}
