import ArgumentParser
import IPVSKit
import Logging
import MeshKit
import RuleKit
import SystemPackage

/// The options of every command that say where the mesh is saved and how it is carried out.
struct StateOptions: ParsableArguments {
    enum Rules: String, ExpressibleByArgument, CaseIterable, Codable {
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

    /// - Throws: `ValidationError` where the name of the folder is empty or not UTF-8.
    func folder() throws -> FilePath { try Self.folder(named: stateDirectory) }

    static let defaultFolder: FilePath = "/var/lib/meshctl"

    /// - Parameter name: the name that was given; nil if none was.
    static func folder(named name: String?) throws -> FilePath {
        // An empty name comes from an unset variable in a script; the user did not ask for the default folder.
        guard name != "" else { throw ValidationError("--state-dir is empty: name a folder.") }
        return try (name ?? ProcessText.environment("MESHCTL_STATE_DIR")).map { FilePath($0) } ?? defaultFolder
    }

    /// What the option or the environment says of the tool that writes the rules.
    func chosenRules() throws -> Rules {
        if let rules { return rules }
        guard let name = try ProcessText.environment("MESHCTL_RULES") else { return .auto }
        guard let rules = Rules(rawValue: name) else {
            let names = Rules.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("MESHCTL_RULES is \(name.debugDescription); it must be one of \(names).")
        }
        return rules
    }
}

/// The option of every command but the agent, which lists its changes in any case.
struct ListingOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Print each change to the kernel on standard error.")
    var verbose = false
}

/// The option of commands that may say which node this is.
struct OwnNodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The name of this node (default: $MESHCTL_NODE, else the name it has, at first the host's).",
            valueName: "name"),
        completion: Existing.nodes)
    var node: String?

    func name() throws -> String? {
        guard node != "" else { throw ValidationError("--node is empty: give this node a name.") }
        return try node ?? ProcessText.environment("MESHCTL_NODE")
    }
}

/// The options of every command but the agent and those that name a task's node.
struct GlobalOptions: MeshOptions {
    @OptionGroup var own: OwnNodeOptions
    @OptionGroup var state: StateOptions
    @OptionGroup var listing: ListingOptions

    var isVerbose: Bool { listing.verbose }

    func ownNode() throws -> String? { try own.name() }
}

/// The options of the agent.
struct AgentOptions: MeshOptions {
    @OptionGroup var own: OwnNodeOptions
    @OptionGroup var state: StateOptions

    @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Also log each pass and operation.")
    var isVerbose = false

    func ownNode() throws -> String? { try own.name() }
}

/// The options that lead to the mesh.
protocol MeshOptions: ParsableArguments {
    var state: StateOptions { get }
    /// Whether there is more to be told than usual.
    var isVerbose: Bool { get }
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
        let logger = Logger(label: "meshctl") { _ in StandardErrorLog(logLevel: .error) }
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
}
