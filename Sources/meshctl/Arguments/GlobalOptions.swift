import ArgumentParser
import IPVSKit
import Logging
import MeshKit
import RuleKit
import SystemPackage

/// What every command takes.
struct GlobalOptions: ParsableArguments {
    enum Rules: String, ExpressibleByArgument, CaseIterable {
        case auto, nftables, iptables

        /// Nil for the one that is in use, or the best.
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
            "Where the mesh is kept (default: $MESHCTL_STATE_DIR, else /var/lib/meshctl).", valueName: "dir"))
    var stateDirectory: String?

    @Option(
        help: """
            What carries the rules into the kernel (default: $MESHCTL_RULES, else auto: what carries them already, else \
            nftables where the kernel can).
            """)
    var rules: Rules?

    @Flag(name: .shortAndLong, help: "Say on standard error what is done.")
    var verbose = false

    /// - Throws: `ValidationError` where the folder has no name that can be used.
    func store() throws -> FileStore {
        // An empty one is a variable of a script's that was not set, and no wish for the default.
        guard stateDirectory != "" else { throw ValidationError("--state-dir is empty: write a folder.") }
        let directory = try stateDirectory ?? ProcessText.environment("MESHCTL_STATE_DIR") ?? "/var/lib/meshctl"
        return FileStore(directory: FilePath(directory))
    }

    /// The mesh of the network namespace that the command runs in.
    func mesh() throws -> Mesh {
        let (store, rules) = (try store(), try chosenRules())
        try NotPermitted.check()
        let logger = Logger(label: "meshctl") { _ in StandardErrorLog(logLevel: verbose ? .debug : .error) }
        return try Mesh(
            store: store, ipvs: try IPVS(logger: logger), tool: rules.tool,
            onWait: { StandardError.write("waiting for another meshctl on the same state to finish") })
    }

    private func chosenRules() throws -> Rules {
        if let rules { return rules }
        guard let name = try ProcessText.environment("MESHCTL_RULES") else { return .auto }
        guard let rules = Rules(rawValue: name) else {
            let names = Rules.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("MESHCTL_RULES is \(name.debugDescription); it is one of \(names).")
        }
        return rules
    }

    /// Changes what is asked for and the kernel with it.
    func change(_ edit: @Sendable (inout MeshState, ObservedDatapath) async throws -> Void) async throws -> MeshChange {
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
        guard verbose else { return }
        for line in plan.listing { StandardError.write(line) }
    }
}

extension Plan {
    /// The steps, as lines to print: each begins with a tilde, and what made it necessary stands below it.
    var listing: [String] {
        steps.flatMap { step in step.lines.enumerated().map { index, line in index == 0 ? "~ " + line : line } }
    }
}

extension MeshChange {
    /// Says on standard error what this host does not let us do.
    func sayRefusal() {
        for remnant in remnants { StandardError.write("meshctl: \(remnant)") }
        guard let loopbackRefusal else { return }
        StandardError.write("meshctl: 127.0.0.1 is not answered on this host: \(loopbackRefusal)")
    }
}
