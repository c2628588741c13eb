import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish a port of a service on this node.",
        discussion: """
            A service that does not exist is made. Publishing the same thing twice changes nothing. Another target
            for the same port replaces the one it has, and ends the connections to that one.

            EXAMPLE
              meshctl publish 1080:80 nginx
              meshctl publish 5353:53/udp dns --scheduler mh
            """)

    @Argument(
        help: ArgumentHelp("The published port and the port in the tasks.", valueName: "port:target[/tcp|udp]"),
        transform: PublishArgument.parse)
    var ports: PublishArgument

    @Argument(help: "The service.")
    var service: String

    @Option(
        help: ArgumentHelp(
            "How a task is chosen: \(Scheduler.known.map(\.rawValue).joined(separator: ", ")).", valueName: "name"),
        transform: SchedulerArgument.parse)
    var scheduler: Scheduler?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let state = try await options.change { state, observed in
            try state.publish(
                ports.listening, target: ports.target, service: service, scheduler: scheduler,
                avoiding: observed.marks)
        }
        guard let tasks = state.services[service]?.tasks else { return }
        let client =
            switch ClientAddress(tasks, in: state) {
            case .kept: "   client address kept"
            case .hidden: "   client address hidden (see `meshctl task add --help`, --local)"
            case .mixed: "   client address kept for tasks that are --local"
            case nil: ""
            }
        print("\(ports.listening) -> \(service):\(ports.target)   \(counted(tasks.count, "task"))\(client)")
        if tasks.isEmpty {
            print("next:  meshctl task add \(service) ADDRESS")
        } else if ports.listening.transport == .tcp, let address = NodeAddress.first(for: tasks.map(\.address.family)) {
            print(
                "try:   curl http://\(Destination.ID(address, port: ports.listening.port))/      see:  meshctl status")
        }
    }
}

struct Unpublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish a port no longer.",
        discussion: """
            The service stays, with its tasks and other ports.

            EXAMPLE
              meshctl unpublish 1080
              meshctl unpublish 5353/udp
            """)

    @Argument(help: ArgumentHelp("The published port.", valueName: "port[/tcp|udp]"), transform: PortArgument.parse)
    var port: TransportPort

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        _ = try await options.change { state, _ in try state.unpublish(port) }
        print("\(port) is published no longer")
    }
}
