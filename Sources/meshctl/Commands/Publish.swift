import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish a port of a service on this node.",
        discussion: """
            The service is created if it does not exist. Publishing the same port twice changes nothing. Options that \
            are left out keep their values on a port that is published already. A new target replaces the old one. TCP \
            and SCTP connections to the old target go on until they end, and new ones reach the new target.

            The node answers the port on all its addresses, including 127.0.0.1, or only on the address that is \
            written before the port. In a range, the ports of a task follow in the same order. If a process of this \
            node listens on the port, the command fails, unless that process is a task of the service.

            SCHEDULERS
            \(SchedulerArgument.help)

            EXAMPLE
              meshctl publish 1080:80 nginx
              meshctl publish 5353:53/udp dns --scheduler mh
              meshctl publish 192.168.5.1:8443:443 shop --sticky 10m
              meshctl publish 9443:443 shop --allow 10.0.0.0/8
              meshctl publish 10000-10099:10000-10099/udp voice
            """)

    @Argument(
        help: ArgumentHelp(
            "The published port and the port of the tasks.",
            valueName: "[address:]port[-port]:target[-target][/tcp|udp|sctp]"),
        transform: PublishArgument.parse)
    var ports: PublishArgument

    @Argument(help: "The service.")
    var service: String

    @Option(
        help: ArgumentHelp(
            "How the kernel chooses a task, see SCHEDULERS (default: rr).", valueName: "name"
        ),
        transform: SchedulerArgument.parse)
    var scheduler: Scheduler?

    @Option(
        help: ArgumentHelp(
            "Send a client back to its task until this long after its last connection; off disables it.",
            valueName: "time"),
        transform: DurationArgument.parse)
    var sticky: UInt32?

    @Option(
        help: ArgumentHelp(
            "Accept only clients from this network, and the node itself. May be repeated; any accepts all clients.",
            valueName: "network"),
        transform: AllowArgument.parse)
    var allow: [AllowArgument] = []

    @Option(
        name: .customLong("source-ip"),
        help: ArgumentHelp(
            """
            The source address that tasks see. keep: the client's. nat: the node's. auto: the client's for tasks whose \
            replies come back through this node (see --local of `meshctl task add`), the node's for others.
            """, valueName: "auto|keep|nat"),
        transform: SourceIPArgument.parse)
    var sourceIP: SourceIP?

    @Flag(help: "Publish the port even if a process of this node or another program's rule uses it.")
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
        let saved = SavedMesh(published.change)
        guard let port = saved.spec.publisher(of: ports.listening)?.port,
            let tasks = saved.spec.services[service]?.tasks.filter(port.isFor)
        else { return }
        let client =
            switch try ClientAddress([port], tasks, local: saved.localAddresses, own: NodeAddress.all()) {
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
            let address = try port.listening.address ?? NodeAddress.first(for: tasks.map(\.address.family))
        {
            let url = Destination.ID(address, port: port.listening.ports.lowerBound)
            lines.append("try:   curl http://\(url)/      see:  meshctl status")
        }
        try StandardOutput.print(lines, afterChange: published.change.didChange)
    }
}
