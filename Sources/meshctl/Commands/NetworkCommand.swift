import ArgumentParser
import MeshKit
import RuleKit

struct NetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Create, list, inspect and remove the networks of the mesh, and choose who is on them.",
        subcommands: [
            Create.self, List.self, Inspect.self, Connect.self, Disconnect.self, Remove.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Create a network that joins the tasks of all nodes.",
            discussion: """
                The network ingress, through which published ports reach attached tasks, is created with the first \
                attached task. Create it before that to choose its subnets.

                EXAMPLE
                  meshctl network create back
                  meshctl network create front --subnet 10.20.0.0/24 --subnet fd20::/64
                """)

        @Argument(help: "The name of the network.")
        var name: String

        @Option(
            help: ArgumentHelp(
                "A subnet of the network. May be repeated, once for IPv4 and once for IPv6 (default: a free one).",
                valueName: "subnet"),
            transform: SubnetArgument.parse)
        var subnet: [IPPrefix] = []

        @Option(
            help: ArgumentHelp("The VXLAN network identifier (default: the lowest free one).", valueName: "number"))
        var vni: UInt32?

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.carryOut(CreateNetwork(network: name, subnets: subnet, identifier: vni))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the networks.",
            discussion: """
                EXAMPLE
                  meshctl network ls
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(NetworkReport(try await options.savedMesh()))
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inspect",
            abstract: "Show a network with its subnets, tasks and peers.",
            discussion: """
                The peers are the other nodes of the mesh, to which this node sends the network's packets.

                EXAMPLE
                  meshctl network inspect ingress
                """)

        @Argument(help: "The name of the network.", completion: Existing.networks)
        var name: String

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let saved = try await options.savedMesh()
            try format.print(NetworkDetails(name, try saved.spec.network(name), in: saved))
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a network that neither tasks nor services are on.",
            discussion: """
                EXAMPLE
                  meshctl network rm back
                """)

        @Argument(help: "The name of the network.", completion: Existing.networks)
        var name: String

        @OptionGroup var options: GlobalOptions

        func run() async throws { try await options.carryOut(RemoveNetwork(network: name)) }
    }
}
