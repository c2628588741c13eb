import ArgumentParser
import IPVSKit
import MeshKit

extension TaskCommand {
    struct Detach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "detach",
            abstract: "Detach tasks of a service from the mesh's networks.",
            discussion: """
                The task is named by one of its addresses, by its namespace, or by the container that it was attached \
                by; --node alone means all tasks of the service on that node. New connections go elsewhere at once, and \
                open ones go on until they end, as `meshctl task rm --help` says.

                EXAMPLE
                  meshctl task detach nginx 10.255.0.4
                  meshctl task detach nginx --netns web1
                  meshctl task detach nginx --container web1 --wait
                  meshctl task detach nginx --node node2
                """)

        @Argument(help: "The service.", completion: Existing.services)
        var service: String

        @Argument(help: "An address of the task.", completion: Existing.attachedTasks, transform: AddressArgument.parse)
        var address: IPAddress?

        @OptionGroup var namespace: NamespaceArguments
        @OptionGroup var patience: Patience
        @OptionGroup var waiting: Waiting

        @OptionGroup var options: TaskNodeOptions

        func run() async throws {
            let which = try TaskSelection(address, namespace, on: options.node)
            try await options.carryOut(
                DetachTasks(service: service, which: which, now: patience.now), waiting: waiting)
        }
    }
}
