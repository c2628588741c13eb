import IPVSKit
import Testing

@testable import MeshKit

/// What the agent warns of when sources of tasks are not there.
@Suite struct SourceWarningTests {
    private let found = FoundTasks(of: ["docker", "podman"])

    /// A spec with a task of each origin.
    private static func spec(_ origins: String...) throws -> MeshSpec {
        var spec = MeshSpec()
        for (index, text) in origins.enumerated() {
            let origin = try #require(Origin(text))
            try spec.addTask(
                SpecTask(address: IPAddress(ipv4: 0x0A00_0001 + UInt32(index)), origin: origin), service: "web")
        }
        return spec
    }

    private func warnings(_ spec: MeshSpec) -> [String] { found.warnings(of: spec, on: "lab") }

    /// Podman is not there after a boot, and its tasks are in the mesh.
    @Test func whatAnEngineHasLeftBehind() throws {
        let spec = try Self.spec("podman@lab", "docker@lab")
        #expect(warnings(spec) == [], "nobody has reported yet")
        #expect(found.take(.absent("there is no socket"), of: "podman"))
        #expect(!found.take(.absent("there is no socket"), of: "podman"))
        let words = try #require(warnings(spec).first)
        #expect(
            words.hasPrefix("podman is not asked for tasks, and what it found last stays: there is no socket. `meshctl")
        )
        #expect(warnings(try Self.spec("podman@other")) == [], "it is another node's")
        #expect(warnings(try Self.spec("docker@lab")) == [] && warnings(MeshSpec()) == [])
        #expect(found.take(.unreachable("it hangs"), of: "podman"))
        #expect(warnings(spec) == ["podman cannot be asked for tasks, and those that it found last stay: it hangs"])
        #expect(found.take(.tasks([]), of: "podman"))
        #expect(warnings(spec) == [])
    }

    /// An agent with `--no-containers`, or with the socket of another engine.
    @Test func aSourceThatTheAgentWasStartedWithout() throws {
        let none = FoundTasks()
        let spec = try Self.spec("podman@lab", "docker@lab", "docker@other")
        let words = none.warnings(of: spec, on: "lab")
        #expect(words.map { $0.prefix(6) } == ["docker", "podman"])
        #expect(words.allSatisfy { $0.contains("the agent was started without it") })
    }
}
