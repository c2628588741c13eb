import ArgumentParser
import MeshKit

struct Reset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Remove everything that meshctl put into the kernel, and forget all services, networks and nodes.",
        discussion: """
            IPVS services, chains and sets of other programs stay as they are. Kernel settings get back the values that \
            they had before meshctl.

            If the files in the state folder were lost, --all also removes everything that the kernel itself says was \
            made by meshctl with this state folder. The values that settings had before are lost then, and settings stay \
            as they are.

            EXAMPLES
              meshctl reset
              meshctl reset --all
            """)

    @Flag(name: .customLong("all"), help: "Also remove what the state folder does not know of.")
    var recovers = false

    @OptionGroup var options: GlobalOptions

    func run() async throws { try await options.carryOut(ResetMesh(recovers: recovers)) }
}
