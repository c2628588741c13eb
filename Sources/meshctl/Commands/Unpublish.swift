import ArgumentParser
import MeshKit
import RuleKit

struct Unpublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpublish",
        abstract: "Stop publishing ports.",
        discussion: """
            Several ports go in one pass, all or none. Their services keep their tasks and other ports. New connections are refused at once. Open connections of TCP \
            and SCTP go on until they end, or until the time of --drain of `meshctl publish` is over; --now cuts them.

            EXAMPLE
              meshctl unpublish 1080
              meshctl unpublish 1080 5353/udp
              meshctl unpublish 192.168.5.1:8443
            """)

    @Argument(
        help: ArgumentHelp("The published ports.", valueName: "[address:]port[-port][/tcp|udp|sctp]"),
        completion: Existing.ports, transform: PortArgument.parse)
    var ports: [PortBinding]

    @OptionGroup var patience: Patience
    @OptionGroup var options: GlobalOptions

    func run() async throws { try await options.carryOut(UnpublishPorts(ports: ports, now: patience.now)) }
}
