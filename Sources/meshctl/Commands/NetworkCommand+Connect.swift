import ArgumentParser
import IPVSKit
import MeshKit

extension NetworkCommand {
    /// A network, and services that are to be on it or off it.
    struct MembershipArguments: ParsableArguments {
        @Argument(help: "The name of the network.", completion: Existing.userNetworks)
        var network: String

        @Argument(help: "The services.", completion: Existing.services)
        var services: [String]

        var members: NetworkMembers { NetworkMembers(network: network, services: services) }
    }

    struct Connect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "connect",
            abstract: "Put services with their attached tasks on a network.",
            discussion: """
                Each service gets one address on the network, and so does each of its tasks. Several services are put \
                on it in one pass, all or none. Tasks that are attached later join the network by themselves.

                EXAMPLE
                  meshctl network connect back nginx redis
                """)

        @OptionGroup var arguments: MembershipArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws { try await options.carryOut(ConnectServices(members: arguments.members)) }
    }

    struct Disconnect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "disconnect",
            abstract: "Take services with their attached tasks off a network.",
            discussion: """
                The connections to their addresses on the network end. Several services are taken off it in one pass, \
                all or none.

                EXAMPLE
                  meshctl network disconnect back redis
                """)

        @OptionGroup var arguments: MembershipArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws { try await options.carryOut(DisconnectServices(members: arguments.members)) }
    }
}
