import ArgumentParser
import MeshKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Which file a path leads to.
struct FileIdentity: Codable, Equatable, Sendable {
    var device: UInt64
    var inode: UInt64

    /// Nil if there is none, or if it cannot be told.
    init?(of path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// The network namespace of the process.
    static var networkNamespace: Self? { Self(of: "/proc/self/ns/net") }
}

/// What a command, or an agent, knows of itself and was told.
struct Asker: Equatable, Sendable {
    var version: String
    /// Nil if it cannot be told.
    var networkNamespace: FileIdentity?
    var stateFolder: FilePath
    /// The name that this node is to have; nil if nobody said.
    var node: String?
    var rules: StateOptions.Rules

    var stateFolderIdentity: FileIdentity? { FileIdentity(of: stateFolder) }
}

/// Which agent answers at a socket, as it says itself.
struct AgentIdentity: Codable, Equatable, Sendable {
    var version: String
    var pid: Int32
    var networkNamespace: FileIdentity
    var stateFolder: FileIdentity
    /// The name of its node.
    var node: String
    /// What it was told about the tool that writes the rules.
    var rules: StateOptions.Rules

    /// - Throws: `Errno` if the state folder or the namespace cannot be looked at.
    init(of agent: Asker, on node: String) throws(Errno) {
        guard let namespace = agent.networkNamespace, let folder = agent.stateFolderIdentity else {
            throw Errno.noSuchFileOrDirectory
        }
        version = agent.version
        pid = getpid()
        networkNamespace = namespace
        stateFolder = folder
        self.node = node
        rules = agent.rules
    }

    init(
        version: String, pid: Int32, networkNamespace: FileIdentity, stateFolder: FileIdentity, node: String,
        rules: StateOptions.Rules
    ) {
        self.version = version
        self.pid = pid
        self.networkNamespace = networkNamespace
        self.stateFolder = stateFolder
        self.node = node
        self.rules = rules
    }

    /// Why an agent does not do what a command is asked for as the command would do it itself.
    enum Difference: Equatable, CustomStringConvertible {
        case version(String)
        case networkNamespace
        case stateFolder
        case node(String)
        case rules(StateOptions.Rules)

        var description: String {
            switch self {
            case .version(let version): "it has the version \(version)"
            case .networkNamespace: "it is in another network namespace"
            case .stateFolder: "it works on another state folder"
            case .node(let node): "its node has the name \(node)"
            case .rules(let rules): "it was started with --rules \(rules.rawValue)"
            }
        }
    }

    /// Why a command does not ask the agent; nil if it does. A command that was not told which name the node has, or
    /// which tool writes the rules, takes what the agent was told.
    ///
    /// - Parameters:
    ///   - command: what the command knows of itself.
    ///   - folder: the command's state folder.
    func difference(from command: Asker, in folder: FileIdentity?) -> Difference? {
        if version != command.version { return .version(version) }
        if networkNamespace != command.networkNamespace { return .networkNamespace }
        if stateFolder != folder { return .stateFolder }
        if let asked = command.node, asked != node { return .node(node) }
        if command.rules != .auto, command.rules != rules { return .rules(rules) }
        return nil
    }
}

extension MeshOptions {
    /// What the command knows of itself.
    func asker() throws -> Asker {
        Asker(
            version: Meshctl.configuration.version, networkNamespace: .networkNamespace,
            stateFolder: try state.folder(),
            node: try ownNode(), rules: try state.chosenRules())
    }
}
