import ArgumentParser
import MeshKit

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the whole mesh as YAML or JSON, with everything that was allocated.",
        discussion: """
            `meshctl apply -f FILE` on another node makes the same mesh there: the same ports, marks and addresses. The \
            file can be edited; docs/mesh.schema.json describes it.

            EXAMPLE
              meshctl export > mesh.yaml
              meshctl export | ssh root@node2 meshctl apply -f - --node node2
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case yaml, json
    }

    @Option(help: "The format of the output; `meshctl apply` takes both.")
    var format = Format.yaml

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        // What this node finds of the tasks' health is no part of the mesh, which other nodes take over.
        let spec = try await options.store().load()
        switch format {
        case .yaml: try StandardOutput.print(document: spec.yaml)
        case .json: try StandardOutput.print(json: try JSONText.encode(try spec.exported()))
        }
    }
}
