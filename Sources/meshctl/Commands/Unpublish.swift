import ArgumentParser
import MeshKit
import RuleKit

struct Unpublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop publishing a port.",
        discussion: """
            The service keeps its tasks and its other ports. New connections are refused at once. Open connections of TCP \
            and SCTP go on until they end, or until the time of --drain of `meshctl publish` is over; --now cuts them.

            EXAMPLE
              meshctl unpublish 1080
              meshctl unpublish 5353/udp
              meshctl unpublish 192.168.5.1:8443
            """)

    @Argument(
        help: ArgumentHelp("The published port.", valueName: "[address:]port[-port][/tcp|udp|sctp]"),
        completion: Existing.ports, transform: PortArgument.parse)
    var port: PortBinding

    @OptionGroup var patience: Patience
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let change = try await options.change(cutting: patience.now ? .ports([port]) : .none) { spec, _ in
            try spec.unpublish(port)
        }
        try StandardOutput.print(["Unpublished \(port)."], afterChange: change.didChange)
    }
}
