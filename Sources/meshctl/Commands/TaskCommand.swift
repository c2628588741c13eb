import ArgumentParser
import IPVSKit
import MeshKit

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "Add, remove and list the tasks of services.",
        subcommands: [Add.self, Remove.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a task to a service, or change a task.",
            discussion: """
                A task is one running backend, named by its address. The service is created if it does not exist. Add a \
                task that listens on IPv4 and IPv6 once for each address.

                The replies of a task must come back through this node. Without --local, meshctl makes sure of that: the \
                packets to the task carry this node's address as their source, so that the task does not see the \
                client's address. Use --local for containers and network namespaces on this host, whose default route \
                is this host.

                EXAMPLE
                  meshctl task add nginx 10.0.0.11
                  meshctl task add nginx 172.17.0.2 --local --weight 2
                """)

        @Argument(help: "The service.")
        var service: String

        @Argument(help: "The IPv4 or IPv6 address of the task.", transform: AddressArgument.parse)
        var address: IPAddress

        @Option(help: "The task's share of new connections. With 0 it gets no new connections and keeps those it has.")
        var weight: UInt32 = 1

        @Flag(help: "The task's replies come back through this node anyway, so keep the client's address.")
        var local = false

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let added = try await options.mesh().addTask(address, weight: weight, isLocal: local, service: service)
            options.report(added)
            let count = added.change.spec.services[service]?.tasks.count ?? 0
            try StandardOutput.print(
                ["\(service) has \(counted(count, "task")), including \(address)."],
                afterChange: added.change.didChange)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a task from a service.",
            discussion: """
                The connections of the task end with their next packet.

                EXAMPLE
                  meshctl task rm nginx 10.0.0.11
                """)

        @Argument(help: "The service.")
        var service: String

        @Argument(help: "The address of the task.", transform: AddressArgument.parse)
        var address: IPAddress

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let change = try await options.change { spec, _ in
                try spec.removeTask(address, service: service)
            }
            let count = change.spec.services[service]?.tasks.count ?? 0
            try StandardOutput.print(
                ["Removed \(address) from \(service), which has \(counted(count, "task")) left."],
                afterChange: change.didChange)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the tasks of one service or of all services.",
            discussion: """
                EXAMPLE
                  meshctl task ls nginx
                """)

        @Argument(help: "The service (default: all services).")
        var service: String?

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(try TaskReport(try await options.savedMesh(), service: service))
        }
    }
}
