import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish a port of a service on this node.",
        discussion: """
            A service that does not exist is made. Publishing the same thing twice changes nothing, and what is not
            said of a port that is published stays as it is. Another target for the same port replaces the one it has,
            and ends the connections to that one.

            A port is answered on every address of this node, 127.0.0.1 too, or on the one that is written before it.
            A range is published as one: the ports of a task follow in the same order. A port on which a process of
            this node listens is refused, unless that is a task of the service.

            EXAMPLE
              meshctl publish 1080:80 nginx
              meshctl publish 5353:53/udp dns --scheduler mh
              meshctl publish 192.168.5.1:8443:443 shop --sticky 10m --allow 10.0.0.0/8
              meshctl publish 10000-10099:10000-10099/udp voice
            """)

    @Argument(
        help: ArgumentHelp(
            "The published port and the port in the tasks.",
            valueName: "[address:]port[-port]:target[-target][/tcp|udp|sctp]"),
        transform: PublishArgument.parse)
    var ports: PublishArgument

    @Argument(help: "The service.")
    var service: String

    @Option(
        help: ArgumentHelp(
            "How a task is chosen: \(Scheduler.publishable.map(\.rawValue).joined(separator: ", ")).", valueName: "name"
        ),
        transform: SchedulerArgument.parse)
    var scheduler: Scheduler?

    @Option(
        help: ArgumentHelp(
            "Send a client to the task it had, until so long after its last connection; off ends it.",
            valueName: "time"),
        transform: DurationArgument.parse)
    var sticky: UInt32?

    @Option(
        help: ArgumentHelp(
            "Take connections from this network only, and from the node itself; repeatable; any ends it.",
            valueName: "network"),
        transform: AllowArgument.parse)
    var allow: [AllowArgument] = []

    @Option(
        name: .customLong("source-ip"),
        help: ArgumentHelp(
            """
            Whose address tasks see: auto, the client's where replies come back by this node (see `meshctl task add`), \
            else the node's; keep, the client's; nat, the node's.
            """, valueName: "auto|keep|nat"),
        transform: SourceIPArgument.parse)
    var sourceIP: SourceIP?

    @Flag(help: "Publish also where a process of this node, or a rule of somebody else's, has the port.")
    var force = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let published = try await options.mesh().publish(
            ports.listening, target: ports.target, service: service,
            options: PublishOptions(
                scheduler: scheduler, stickySeconds: sticky, allowed: try AllowArgument.networks(allow),
                sourceIP: sourceIP),
            force: force)
        options.report(published)
        let state = published.change.state
        guard let port = state.publisher(of: ports.listening)?.port,
            let tasks = state.services[service]?.tasks.filter(port.isFor)
        else { return }
        let client =
            switch ClientAddress([port], tasks, in: state) {
            case .kept: "   client address kept"
            case .hidden: "   client address hidden (see `meshctl task add --help`, --local)"
            case .mixed: "   client address kept for some tasks (see `meshctl task ls \(service)`)"
            case nil: ""
            }
        var lines = [
            "\(port.listening) -> \(service):\(PortBinding.text(of: port.targets))   "
                + "\(counted(tasks.count, "task"))\(client)"
        ]
        if tasks.isEmpty {
            lines.append("next:  meshctl task add \(service) ADDRESS")
        } else if port.listening.transport == .tcp,
            let address = port.listening.address ?? NodeAddress.first(for: tasks.map(\.address.family))
        {
            let url = Destination.ID(address, port: port.listening.ports.lowerBound)
            lines.append("try:   curl http://\(url)/      see:  meshctl status")
        }
        try StandardOutput.print(lines, afterChange: published.change.didChange)
    }
}
