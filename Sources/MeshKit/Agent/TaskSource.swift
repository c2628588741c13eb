public import IPVSKit
public import RuleKit

/// Something that knows the tasks of this node and tells the agent of them, such as Docker.
public protocol TaskSource: Sendable {
    /// The name of the source in the spec and in messages: a word.
    var name: String { get }
    /// Watches until the task is cancelled, and reports whenever something has changed. A source that cannot be reached
    /// says so, and tries again by itself; what it reported last holds until it reports anew.
    func run(reporting report: @escaping @Sendable (SourceReport) -> Void) async
}

/// What a source tells the agent.
public enum SourceReport: Equatable, Sendable {
    /// All tasks that there are.
    case tasks([FoundTask])
    /// The source cannot be asked, for this reason.
    case unreachable(String)
    /// The source is not on this host, for this reason, and need not be. That is no fault unless the mesh has tasks of
    /// it.
    case absent(String)
}

/// A task that a source has found on this node, and what it wants of the mesh.
public struct FoundTask: Hashable, Sendable {
    /// What joins the task to overlay networks.
    public struct Attachment: Hashable, Sendable {
        /// The file that refers to the task's network namespace.
        public var namespace: String
        /// The user networks; nil for those that the service is on.
        public var networks: [String]?

        /// An attachment by its parts.
        public init(namespace: String, networks: [String]? = nil) {
            self.namespace = namespace
            self.networks = networks
        }
    }

    /// A port that the task asks to be published.
    public struct Port: Hashable, Sendable {
        /// Where the mesh answers.
        public var listening: PortBinding
        /// The port in the task; of a range the first.
        public var target: UInt16

        /// A port by its parts.
        public init(listening: PortBinding, target: UInt16) {
            self.listening = listening
            self.target = target
        }
    }

    /// The name of the task at its source: the container's. It is found by it again after it was started anew.
    public var name: String
    /// The names of services that it may be a task of. The first that exists is its service.
    public var services: [String]
    /// The project that the task belongs to, such as that of a Compose file; nil without one.
    public var project: String?
    /// That one of the services' names which only means something within the project; nil if there is none.
    public var projectService: String?
    /// Whether the task makes the first of these services if there is none.
    public var makesService = false
    /// The addresses by which this node's routes reach the task, at most one of each family.
    public var addresses: [IPAddress] = []
    /// The task's network namespace; nil if nobody needs it.
    public var namespace: String?
    /// What joins the task to overlay networks. Nil for a task that is reached by its addresses.
    public var attachment: Attachment?
    /// The task's share of new connections.
    public var weight: UInt32 = 1
    /// Whether the source says that the task can serve.
    public var isHealthy = true
    /// Whether the task was told to end and goes on, and its source does not know whether it serves. It then is a task
    /// of services with a health check only, which finds that out.
    public var needsCheck = false
    /// The ports that the task asks to be published.
    public var ports: [Port] = []
    /// The options of these ports and of the service. Nil leaves an option as it is.
    public var options = PublishOptions()
    /// Whether the source names the task and cannot describe it at present. Whatever it is in the mesh already it stays, and
    /// nothing comes with it.
    public var isOnlyListed = false
    /// What the task asks for and nobody understands, in words.
    public var faults: [String] = []

    /// A task by its name and the names of services that it may be a task of.
    public init(_ name: String, services: [String]) {
        self.name = name
        self.services = services
    }
}
