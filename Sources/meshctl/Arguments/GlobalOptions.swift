import ArgumentParser
import IPVSKit
import Logging
import MeshKit
import RuleKit
import SystemPackage

/// The options of every command.
struct GlobalOptions: ParsableArguments {
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
            valueName: "dir"))
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
    private func folder() throws -> FilePath {
        // An empty name comes from an unset variable in a script; the user did not ask for the default folder.
        guard stateDirectory != "" else { throw ValidationError("--state-dir is empty: name a folder.") }
        let directory = try stateDirectory ?? ProcessText.environment("MESHCTL_STATE_DIR") ?? "/var/lib/meshctl"
        return FilePath(directory)
    }

    /// The spec in the state's folder.
    func store() throws -> FileSpecStore { FileSpecStore(directory: try folder()) }

    /// This node's ledger in the same folder.
    func ledger() throws -> LedgerFile { LedgerFile(directory: try folder()) }

    /// The mesh of the network namespace that the command runs in.
    func mesh() throws -> Mesh {
        let (store, ledger, rules) = (try store(), try ledger(), try chosenRules())
        try NotPermitted.check()
        let logger = Logger(label: "meshctl") { _ in StandardErrorLog(logLevel: verbose ? .debug : .error) }
        return try Mesh(
            store: store, ledger: ledger, ipvs: try IPVS(logger: logger), tool: rules.tool,
            onWait: { StandardError.write("waiting for another meshctl that works on the same state") })
    }

    private func chosenRules() throws -> Rules {
        if let rules { return rules }
        guard let name = try ProcessText.environment("MESHCTL_RULES") else { return .auto }
        guard let rules = Rules(rawValue: name) else {
            let names = Rules.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("MESHCTL_RULES is \(name.debugDescription); it must be one of \(names).")
        }
        return rules
    }

    /// Edits the saved mesh and changes the kernel accordingly.
    func change(
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        let change = try await mesh().change(edit)
        report(change.plan)
        change.sayRefusal()
        return change
    }

    func report(_ publication: Publication) {
        report(publication.change.plan)
        publication.change.sayRefusal()
        for warning in publication.warnings { StandardError.write("meshctl: \(warning)") }
    }

    func report(_ plan: Plan) {
        plan.sayNotes()
        guard verbose else { return }
        for line in plan.listing { StandardError.write(line) }
    }
}

extension Plan {
    /// Prints on standard error what the plan leaves undone, and why.
    func sayNotes() {
        for note in notes { StandardError.write("meshctl: \(note)") }
    }

    /// The steps as lines to print. Each step begins with a tilde; its reasons stand below it.
    var listing: [String] {
        steps.flatMap { step in step.lines.enumerated().map { index, line in index == 0 ? "~ " + line : line } }
    }
}

extension MeshChange {
    /// Prints on standard error the parts that this host refused: sets that are left behind, and 127.0.0.1.
    func sayRefusal() {
        for remnant in remnants { StandardError.write("meshctl: \(remnant)") }
        for (place, reason) in refusals.sorted(by: { $0.key < $1.key }) {
            let lost = place == .loopback ? "127.0.0.1 is not answered on this host" : "this host does without \(place)"
            StandardError.write("meshctl: \(lost): \(reason)")
        }
    }
}
