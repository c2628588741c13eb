import ArgumentParser
import IPVSKit
import MeshKit

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "Add, remove and list the tasks of services.",
        subcommands: [Add.self, Remove.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a task to a service, or change one.",
            discussion: """
                A task is one running backend, by its address; a service that does not exist is made. One that
                listens on IPv4 and on IPv6 is added by each address.

                A task's replies must come back by this node. Where they would not, the packets it gets carry this
                node's address as their source, and the client's is hidden from it; that is done unless you say
                --local. Say --local for containers and namespaces on this host, whose way out is this host.

                EXAMPLE
                  meshctl task add nginx 10.0.0.11
                  meshctl task add nginx 172.17.0.2 --local --weight 2
                """)

        @Argument(help: "The service.")
        var service: String

        @Argument(help: "Where the task is reached, IPv4 or IPv6.", transform: AddressArgument.parse)
        var address: IPAddress

        @Option(help: "Its share of new connections; 0 takes none and keeps those it has.")
        var weight: UInt32 = 1

        @Flag(help: "Its replies come back by this node anyway: keep the client's address.")
        var local = false

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let task = MeshTask(address: address, weight: weight, isLocal: local)
            let added = try await options.mesh().addTask(task, service: service)
            options.report(added)
            let state = added.change.state
            let count = state.services[service]?.tasks.count ?? 0
            try StandardOutput.print(
                ["\(service): \(counted(count, "task")), \(address) among them"], afterChange: added.change.didChange)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a task from a service.",
            discussion: """
                Its connections end with their next packet.

                EXAMPLE
                  meshctl task rm nginx 10.0.0.11
                """)

        @Argument(help: "The service.")
        var service: String

        @Argument(help: "The address of the task.", transform: AddressArgument.parse)
        var address: IPAddress

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let change = try await options.change { state, _ in
                try state.removeTask(address, service: service)
            }
            let count = change.state.services[service]?.tasks.count ?? 0
            try StandardOutput.print(
                ["\(service): \(counted(count, "task")), \(address) no longer"], afterChange: change.didChange)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the tasks of a service, or of all.",
            discussion: """
                EXAMPLE
                  meshctl task ls nginx
                """)

        @Argument(help: "The service; all of them unless named.")
        var service: String?

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(try TaskReport(try options.store().load(), service: service))
        }
    }
}
