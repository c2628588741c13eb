import ArgumentParser
import IPVSKit
import MeshKit

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "Add, attach, drain, remove and list the tasks of services.",
        subcommands: [
            Add.self, Remove.self, Attach.self, Detach.self, Drain.self, Undrain.self, List.self,
        ])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Add a task to a service, or change a task.",
            discussion: """
                A task is one running backend, named by its address. The service is created if it does not exist. Add a \
                task that listens on IPv4 and IPv6 once for each address.

                The replies of a task must come back through this node. Without --local, meshctl makes sure of that: the \
                packets to the task carry this node's address as their source, so that the task does not see the \
                client's address. Use --local for containers and network namespaces on this host, whose default route \
                is this host.

                A service has either such tasks or attached ones. With --replace the task takes the place of all attached \
                tasks of the service, whose open connections go on until they end; --now cuts them.

                EXAMPLE
                  meshctl task add nginx 10.0.0.11
                  meshctl task add nginx 172.17.0.2 --local --weight 2
                  meshctl task add nginx 172.17.0.2 --local --replace
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @Argument(
            help: "The IPv4 or IPv6 address of the task.", completion: Existing.tasks, transform: AddressArgument.parse)
        var address: IPAddress

        @Option(help: "The task's share of new connections. With 0 it gets no new connections and keeps those it has.")
        var weight: UInt32 = 1

        @Flag(help: "The task's replies come back through this node anyway, so keep the client's address.")
        var local = false

        @Flag(help: "Take the place of the service's attached tasks.")
        var replace = false

        @OptionGroup var patience: Patience

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.carryOut(
                AddTask(
                    service: service, address: address, weight: weight, isLocal: local, replaces: replace,
                    now: patience.now))
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm", abstract: "Remove a task from a service.",
            discussion: """
                New connections go elsewhere at once. Open connections of TCP and SCTP go on until they end, or until the \
                time of --drain of `meshctl publish` is over; flows of UDP go to another task at once. `meshctl status` \
                says how many are left, and any later command removes what is left of the task when there are none. \
                --wait waits for that, and --now cuts them. Adding the same address again cancels it.

                EXAMPLE
                  meshctl task rm nginx 10.0.0.11
                  meshctl task rm nginx 10.0.0.11 --wait
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @Argument(help: "The address of the task.", completion: Existing.tasks, transform: AddressArgument.parse)
        var address: IPAddress

        @OptionGroup var patience: Patience
        @OptionGroup var waiting: Waiting

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.carryOut(
                RemoveTask(service: service, address: address, now: patience.now), waiting: waiting)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "List the tasks of one service or of all services.",
            discussion: """
                EXAMPLE
                  meshctl task ls nginx
                """)

        @Argument(help: "The service (default: all services).", completion: Existing.services)
        var service: String?

        @OptionGroup var format: FormatOptions
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try format.print(try TaskReport(try await options.savedMesh(), service: service))
        }
    }
}
