import ArgumentParser
import Containers
import IPVSKit
import MeshKit

/// The options of commands for which `--node` names the node of a task.
struct TaskNodeOptions: MeshOptions {
    @Option(
        help: ArgumentHelp(
            "The node of the task (default: this node, whose own name $MESHCTL_NODE says).", valueName: "name"),
        completion: Existing.nodes)
    var node: String?

    @OptionGroup var state: StateOptions
    @OptionGroup var listing: ListingOptions

    var isVerbose: Bool { listing.verbose }

    func ownNode() throws -> String? {
        guard node != "" else { throw ValidationError("--node is empty: name the task's node.") }
        return try ProcessText.environment("MESHCTL_NODE")
    }
}

extension TaskCommand {
    struct Attach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "attach",
            abstract: "Attach a network namespace to the mesh's networks, as a task of a service.",
            discussion: """
                The task gets an interface and an address on the network ingress, through which every node reaches it, \
                whichever node it is on. With --network it also joins other networks, on which the tasks of all nodes \
                reach each other, and the service by one address. The service, this node and the network ingress are \
                created if they do not exist. A service has either attached tasks or tasks of `meshctl task add`. With \
                --replace the task takes the place of all tasks of the other kind, whose open connections go on until \
                they end; --now cuts them.

                A namespace may be a task of several services, and has the same addresses in all of them. A container \
                that was started anew is attached again by the same command, and keeps its addresses.

                EXAMPLE
                  meshctl task attach nginx --container web1
                  meshctl task attach nginx --netns web1
                  meshctl task attach nginx --pid 4211 --network back
                  meshctl task attach nginx --netns web1 --replace
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @OptionGroup var namespace: NamespaceArguments
        @OptionGroup var engine: EngineArguments

        @Option(
            help: ArgumentHelp(
                "A further network of the task. May be repeated (default: the networks that the service is on).",
                valueName: "network"),
            completion: Existing.userNetworks)
        var network: [String] = []

        @Option(
            help: "An address of the task on one of its networks (default: the lowest free ones).",
            transform: AddressArgument.parse)
        var address: IPAddress?

        @Option(help: "The task's share of new connections. With 0 it gets no new connections and keeps those it has.")
        var weight: UInt32 = 1

        @Flag(help: "Take the place of the service's tasks that the host's routes reach.")
        var replace = false

        @OptionGroup var patience: Patience

        @OptionGroup var options: TaskNodeOptions

        func run() async throws {
            guard let choice = try namespace.choice() else {
                throw ValidationError("say which namespace the task is in, by --netns, --pid or --container.")
            }
            let engines = try engine.engine(for: choice)
            let (path, container) = try await place(choice, engines)
            try await options.carryOut(
                AttachTask(
                    service: service, namespace: path, container: container, node: options.node,
                    networks: network.isEmpty ? nil : network, address: address, weight: weight, replaces: replace,
                    now: patience.now))
        }

        /// The file of the task's namespace, and the container that it was named by.
        private func place(
            _ choice: NamespaceArguments.Choice, _ engines: ContainerEngine
        ) async throws -> (path: String, container: String?) {
            switch choice {
            case .file(let path): return (path, nil)
            case .container(let name):
                if let node = options.node, try await options.savedMesh().node != node {
                    throw InputError(
                        "container \(name) is looked up on this node, and node \(node) is another: run the command there"
                    )
                }
                let found = try await engines.container(name)
                return (found.namespace, found.name)
            }
        }
    }
}
