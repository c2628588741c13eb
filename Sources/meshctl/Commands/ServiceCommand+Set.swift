import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

extension ServiceCommand {
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Create a service without ports and tasks.",
            discussion: """
                `meshctl publish`, `meshctl task add` and `meshctl task attach` create a service, too, if there is none. \
                Creating a service again with the same options changes nothing.

                \(ServiceOptions.discussion)

                EXAMPLE
                  meshctl service create nginx --scheduler wlc
                  meshctl service create nginx --network ingress --dry-run
                """)

        @Argument(help: "The name of the service.")
        var service: String

        @OptionGroup var serviceOptions: ServiceOptions

        @Flag(help: "Print what would change, and change nothing.")
        var dryRun = false

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.carryOut(
                CreateService(service: service, options: serviceOptions.options, isDry: dryRun))
        }
    }

    struct SetOptions: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change the options of a service, or of some of its ports.",
            discussion: """
                The options are those of `meshctl publish`. Options that are left out keep their values. --scheduler, \
                --network, --health and --slow-start hold for the service; the others are set on each of its ports, or on those that are named. \
                All of it happens in one pass, or nothing. Connections that lose their path by another --network go on until \
                they end; --now cuts them.

                \(ServiceOptions.discussion)

                EXAMPLE
                  meshctl service set nginx --scheduler wlc
                  meshctl service set nginx 1080 1443 --sticky 10m
                  meshctl service set nginx --allow 10.0.0.0/8 --dry-run
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @Argument(
            help: ArgumentHelp(
                "The published ports to change (default: all ports of the service).",
                valueName: "[address:]port[-port][/tcp|udp|sctp]"),
            completion: Existing.ports, transform: PortArgument.parse)
        var ports: [PortBinding] = []

        @OptionGroup var serviceOptions: ServiceOptions
        @OptionGroup var portOptions: PortOptions

        @Flag(help: "Print what would change, and change nothing.")
        var dryRun = false

        @OptionGroup var patience: Patience

        @OptionGroup var options: GlobalOptions

        func validate() throws { _ = try operation() }

        func run() async throws { try await options.carryOut(operation()) }

        private func operation() throws -> SetService {
            let wanted = try portOptions.options(with: serviceOptions)
            return try validating { () throws(InputError) in
                try SetService(
                    service: service, ports: ports.isEmpty ? nil : ports, options: wanted, isDry: dryRun,
                    now: patience.now)
            }
        }
    }
}
