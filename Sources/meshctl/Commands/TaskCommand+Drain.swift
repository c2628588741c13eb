import ArgumentParser
import IPVSKit
import MeshKit

extension TaskCommand {
    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Give tasks no new connections, and let them keep those they have.",
            discussion: """
                The tasks stay in the service. New connections go to its other tasks at once, those of sticky clients \
                included, and so do flows of UDP. To stop a server without cutting anybody off, let it drain first and wait:

                  meshctl task drain nginx --container web1 --wait && docker stop web1

                With --wait the exit status is 0 once no connection is left, and 1 if the time of --drain is over before \
                that: then the connections that are left go on. `meshctl status` shows them, too. `meshctl task undrain` \
                ends the drain; so does `meshctl task attach`, if the namespace of the task was made anew.

                Connections count on the node where the command runs: those that came to this node, and all connections \
                of the node's own attached tasks.

                EXAMPLE
                  meshctl task drain nginx 10.0.0.11
                  meshctl task drain nginx --container web1 --wait
                  meshctl task drain nginx --node node2
                """)

        @OptionGroup var tasks: TaskArguments
        @OptionGroup var waiting: Waiting
        @OptionGroup var options: TaskNodeOptions

        func run() async throws {
            let which = try TaskSelection(tasks.address, tasks.namespace, on: options.node)
            try await options.carryOut(DrainTasks(service: tasks.service, which: which), waiting: waiting)
        }
    }

    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "undrain",
            abstract: "End the drain of tasks: give them new connections again.",
            discussion: """
                EXAMPLE
                  meshctl task undrain nginx 10.0.0.11
                  meshctl task undrain nginx --node node2
                """)

        @OptionGroup var tasks: TaskArguments
        @OptionGroup var options: TaskNodeOptions

        func run() async throws {
            let which = try TaskSelection(tasks.address, tasks.namespace, on: options.node)
            try await options.carryOut(UndrainTasks(service: tasks.service, which: which))
        }
    }
}
