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
    }

    struct Connect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put services with their attached tasks on a network.",
            discussion: """
                Each service gets one address on the network, and so does each of its tasks. Several services are put \
                on it in one pass, all or none. Tasks that are attached later join the network by themselves.

                EXAMPLE
                  meshctl network connect back nginx redis
                """)

        @OptionGroup var members: MembershipArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let connected = try await options.mesh().connect(members.services, to: members.network)
            options.report(connected)
            let change = connected.change
            try StandardOutput.print(
                members.services.map { service in
                    let addresses = change.spec.services[service]?.virtualAddresses[members.network]?.addresses ?? []
                    let list = addresses.map(\.description).joined(separator: " and ")
                    return "Service \(service) has \(list) on network \(members.network)."
                }, afterChange: change.didChange)
        }
    }

    struct Disconnect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take services with their attached tasks off a network.",
            discussion: """
                The connections to their addresses on the network end. Several services are taken off it in one pass, \
                all or none.

                EXAMPLE
                  meshctl network disconnect back redis
                """)

        @OptionGroup var members: MembershipArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let change = try await options.mesh().disconnect(members.services, from: members.network)
            options.report(change)
            try StandardOutput.print(
                members.services.map { "Service \($0) is not on network \(members.network) any more." },
                afterChange: change.didChange)
        }
    }
}
