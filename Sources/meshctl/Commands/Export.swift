import ArgumentParser
import MeshKit

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the whole mesh as YAML, with everything that was allocated.",
        discussion: """
            `meshctl apply -f FILE` on another node makes the same mesh there: the same ports, marks and addresses. The \
            file can be edited; docs/mesh.schema.json describes it.

            EXAMPLE
              meshctl export > mesh.yaml
              meshctl export | ssh root@node2 meshctl apply -f - --node node2
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try StandardOutput.print(document: try await options.savedMesh().spec.yaml)
    }
}
