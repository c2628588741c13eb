import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Add, list and remove the nodes of the mesh.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Add a node to the mesh, or set the address of a node.",
            discussion: """
                A node is a host whose tasks the mesh's networks join. The other nodes send packets for these tasks to \
                the node's address. A single node needs none.

                EXAMPLE
                  meshctl node add node1 --address 192.168.5.1
                  meshctl node add node2 --address 192.168.5.2 --gateway-subnet 172.30.0.0/16
                """)

        @Argument(help: "The name of the node.", completion: Existing.nodes)
        var name: String

        @Option(help: "The address at which the other nodes reach it.", transform: AddressArgument.parse)
        var address: IPAddress?

        @Option(
            help: ArgumentHelp(
                """
                A subnet of the bridge by which attached tasks reach the outside. May be repeated, once for IPv4 and \
                once for IPv6. A family that is left out keeps its subnet, or has a free one (default: free ones, such \
                as 172.18.0.0/16).
                """, valueName: "subnet"),
            transform: SubnetArgument.parse)
        var gatewaySubnet: [IPPrefix] = []

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.carryOut(
                AddNode(
                    node: name, address: address, gatewaySubnets: gatewaySubnet.isEmpty ? nil : gatewaySubnet))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the nodes.",
            discussion: """
                EXAMPLE
                  meshctl node ls
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(NodeReport(try await options.savedMesh()))
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a node that has no attached tasks.",
            discussion: """
                EXAMPLE
                  meshctl node rm node2
                """)

        @Argument(help: "The name of the node.", completion: Existing.nodes)
        var name: String

        @OptionGroup var options: GlobalOptions

        func run() async throws { try await options.carryOut(RemoveNode(node: name)) }
    }
}
