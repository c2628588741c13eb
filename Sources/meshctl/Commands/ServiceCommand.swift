import ArgumentParser
import MeshKit

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Create, change, list, inspect and remove services.",
        subcommands: [Create.self, SetOptions.self, List.self, Inspect.self, Remove.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the services.",
            discussion: """
                EXAMPLE
                  meshctl service ls --format json
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(ServiceReport(try await options.savedMesh()))
        }
    }

    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inspect",
            abstract: "Show a service with its ports, marks and tasks.",
            discussion: """
                EXAMPLE
                  meshctl service inspect nginx --format json
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let saved = try await options.savedMesh()
            try format.print(ServiceDetails(service, try saved.spec.service(service), in: saved))
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a service with its ports and tasks.",
            discussion: """
                New connections are refused at once. Open ones go on as after `meshctl unpublish`; --now cuts them.

                EXAMPLE
                  meshctl service rm nginx
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @OptionGroup var patience: Patience
        @OptionGroup var options: GlobalOptions

        func run() async throws { try await options.carryOut(RemoveService(service: service, now: patience.now)) }
    }
}
