import ArgumentParser
import IPVSKit
import MeshKit
import RuleKit

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish ports of a service.",
        usage: "meshctl publish <port> ... <service> [<options>]",
        discussion: """
            Several ports are published in one pass, all or none. The service is created if it does not exist. \
            Publishing the same port twice changes nothing. Options that \
            are left out keep their values on a port that is published already. A new target replaces the old one. \
            Connections to the old target go on until they end, and new ones reach the new target. The same holds if the \
            port moves to another balancer. `meshctl status` says how many connections are left; --now cuts them.

            This node answers the port on all its addresses, including 127.0.0.1, or only on the address that is \
            written before the port; so do the other nodes, once they have the mesh by `meshctl export` and \
            `meshctl apply`. The host's balancer tells two ports of one number at different addresses apart; on the \
            ingress network only one service can have a number. In a range, the ports of a task follow in the same order. If a process of this node \
            listens on the port, the command fails, unless that process is a task of the service.

            \(ServiceOptions.discussion)

            EXAMPLE
              meshctl publish 1080:80 nginx
              meshctl publish 1080:80 1443:443 nginx
              meshctl publish 5353:53/udp dns --scheduler mh
              meshctl publish 192.168.5.1:8443:443 shop --sticky 10m
              meshctl publish 9443:443 shop --allow 10.0.0.0/8
              meshctl publish 10000-10099:10000-10099/udp voice
            """)

    @Argument(
        help: ArgumentHelp(
            """
            The ports, each the published port and the port of the tasks, as \
            [address:]port[-port]:target[-target][/tcp|udp|sctp]; and the service at the end.
            """, valueName: "port"),
        completion: Existing.services)
    var arguments: [String]

    @OptionGroup var serviceOptions: ServiceOptions
    @OptionGroup var portOptions: PortOptions

    @Flag(help: "Publish the port even if a process of this node or another program's rule uses it.")
    var force = false

    @OptionGroup var patience: Patience

    @OptionGroup var options: GlobalOptions

    /// The ports, read from ``arguments`` without the last.
    private func ports() throws -> [PublishText] { try arguments.dropLast().map(PublishArgument.parse) }

    func validate() throws {
        guard arguments.count > 1 else {
            throw ValidationError("Name the ports and then the service, as in `meshctl publish 1080:80 nginx`.")
        }
        _ = try ports()
    }

    func run() async throws {
        try await options.carryOut(
            PublishPorts(
                ports: try ports(), service: arguments[arguments.count - 1],
                options: try portOptions.options(with: serviceOptions), force: force, now: patience.now))
    }
}
