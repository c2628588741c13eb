import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// Files of nodes that were edited apart from each other.
extension MeshFileTests {
    /// A mesh with a service of that name.
    private static func mesh(_ generation: UInt64, _ edits: [String: UInt64], _ service: String) throws -> MeshSpec {
        var spec = MeshSpec()
        spec.version = MeshVersion(generation: generation, edits: EditVector(edits))
        try spec.addTask(SpecTask(address: "10.9.0.9"), service: service)
        return spec
    }

    private static func apply(_ file: MeshSpec, to present: MeshSpec, forcing: Bool = false) throws -> MeshSpec {
        var context = ApplyContext(node: "node2")
        context.forces = forcing
        return try present.applying(try Self.file(file.yaml), in: context)
    }

    @Test func theVectorInAFile() throws {
        let spec = try Self.mesh(8, ["node2": 3, "node1": 5, "7": 1], "web")
        #expect(spec.yaml.contains("\ngeneration: 8\nedits: {\"7\": 1, node1: 5, node2: 3}\nservices:\n"))
        let file = try Self.file(spec.yaml)
        #expect(file.edits == spec.edits && file.generation == 8)
        #expect(try Self.file("generation: 8\nedits:\n  node1: 0x5\n").edits == EditVector(["node1": 5]))
        #expect(try Self.file("generation: 8\nedits: {}").edits.isEmpty)
        #expect(try !Self.mesh(8, [:], "web").yaml.contains("edits"), "as an earlier version has written it")
    }

    /// Each has an edit that the other lacks, whatever the generations are.
    @Test(arguments: [8, 9, 12] as [UInt64]) func aFileThatLacksAnEditIsRefused(generation: UInt64) throws {
        let file = try Self.mesh(generation, ["node1": 7, "node2": 3], "one")
        let present = try Self.mesh(9, ["node1": 5, "node2": 4], "two")
        let error = #expect(throws: InputError.self) { try Self.apply(file, to: present) }
        let words = try #require(error?.description)
        #expect(words.hasPrefix("mesh.yaml:3:8: the mesh was edited here and elsewhere: "), "\(words)")
        #expect(words.contains("the file would discard 1 edit on node2, "), "\(words)")
        #expect(words.contains("the mesh here lacks 2 edits on node1; "), "\(words)")
        #expect(words.contains("`meshctl apply --dry-run --force`"), "\(words)")
        let forced = try Self.apply(file, to: present, forcing: true)
        #expect(forced.services == file.services)
        #expect(forced.edits.counts == ["node1": 7, "node2": 5] && forced.meshGeneration == max(generation, 9) + 1)
        // Both take the result, which has seen all edits.
        #expect(try Self.apply(forced, to: file) == forced)
        #expect(try Self.apply(forced, to: present) == forced)
    }

    /// Nothing is lost where both have become the same mesh.
    @Test func meshesThatAreTheSameAreJoined() throws {
        let file = try Self.mesh(9, ["node1": 7], "web")
        for forcing in [true, false] {
            let joined = try Self.apply(file, to: Self.mesh(10, ["node2": 4], "web"), forcing: forcing)
            #expect(try joined == Self.mesh(10, ["node1": 7, "node2": 4], "web"), "no edit")
        }
    }

    @Test func newerAndOlderFiles() throws {
        let older = try Self.mesh(8, ["node1": 5, "node2": 3], "older")
        let newer = try Self.mesh(9, ["node1": 6, "node2": 3], "newer")
        #expect(try Self.apply(newer, to: older) == newer)
        let error = #expect(throws: InputError.self) { try Self.apply(older, to: newer) }
        #expect(
            error?.description
                == "mesh.yaml:2:13: the file has generation 8, and the mesh here has 9, which is newer by 1 edit on node1: "
                + "export it anew, or take the older one by force (--force)")
        let forced = try Self.apply(older, to: newer, forcing: true)
        #expect(try forced == Self.mesh(10, ["node1": 6, "node2": 4], "older"))
        // Somebody has edited the file by hand, which is an edit of whoever applies it.
        var edited = newer
        try edited.addTask(SpecTask(address: "10.9.0.10"), service: "newer")
        let applied = try Self.apply(edited, to: newer)
        #expect(applied.services == edited.services)
        #expect(applied.version == MeshVersion(generation: 10, edits: EditVector(["node1": 6, "node2": 4])))
        #expect(try Self.apply(newer, to: newer) == newer)
    }

    /// An earlier version of meshctl counts no edits by node, and neither does a file that somebody writes by hand.
    @Test func withoutAVectorGenerationsDecide() throws {
        let counted = try Self.mesh(8, ["node1": 5], "counted")
        // The file of such a mesh on one that counts. Whoever has edited that one meanwhile is told by its vector.
        for generation in [8, 9] as [UInt64] {
            let applied = try Self.apply(Self.mesh(generation, [:], "plain"), to: counted)
            #expect(
                try applied == Self.mesh(9, ["node1": 5, "node2": 1], "plain"), "of generation \(generation)")
            #expect(try Self.apply(Self.mesh(9, [:], "plain"), to: applied) == applied, "again")
        }
        let error = #expect(throws: InputError.self) { try Self.apply(Self.mesh(7, [:], "plain"), to: counted) }
        #expect(error?.description.contains("the mesh here has 8, which is newer: export") == true)
        // The other way round.
        #expect(try Self.apply(counted, to: Self.mesh(7, [:], "plain")) == counted)
        #expect(throws: InputError.self) { try Self.apply(counted, to: Self.mesh(9, [:], "plain")) }
        // Neither counts.
        let taken = try Self.apply(Self.mesh(9, [:], "plain"), to: Self.mesh(8, [:], "other"))
        #expect(try taken == Self.mesh(9, [:], "plain"))
        // Parts are edits.
        let parts = try Self.mesh(8, ["node1": 5], "web").applying(
            try Self.file("services: {web: {scheduler: lc}}"), in: ApplyContext(node: "node2"))
        #expect(parts.version == MeshVersion(generation: 9, edits: EditVector(["node1": 5, "node2": 1])))
    }

    // MARK: Mesh

    /// Two nodes are edited apart, one mesh is chosen, and from then on both go on together.
    @Test func nodesThatWereEditedApart() async throws {
        let (first, second) = (FakeNode(), FakeNode())
        let (one, two) = (first.mesh(named: "node1"), second.mesh(named: "node2"))
        func export(_ node: FakeNode) async throws -> MeshFile { try Self.file(try await node.specs.load().yaml) }
        _ = try await one.addNode("node1", address: "192.168.5.1")
        _ = try await two.apply(try await export(first))
        for name in ["a", "b"] { _ = try await one.createNetwork(name) }
        _ = try await two.createNetwork("c")
        let before = try await second.specs.load()
        let file = try await export(first)
        let errors = [
            await #expect(throws: InputError.self) { try await two.preview(file) },
            await #expect(throws: InputError.self) { try await two.apply(file) },
        ]
        for words in errors.map({ $0?.description ?? "" }) {
            #expect(words.contains("discard 1 edit on node2, "), "\(words)")
            #expect(words.contains("lacks 2 edits on node1; "), "\(words)")
        }
        #expect(try await two.preview(file, forcing: true).differences.contains { $0 == "- network c" })
        #expect(try await second.specs.load() == before)
        await #expect(throws: InputError.self) { try await one.apply(try await export(second)) }

        _ = try await two.apply(file, forcing: true)
        let chosen = try await second.specs.load()
        #expect(chosen.networks.keys.sorted() == ["a", "b"])
        #expect(chosen.edits.counts == ["node1": 3, "node2": 2] && chosen.meshGeneration == 4)
        _ = try await one.apply(try await export(second))
        #expect(try await first.specs.load().yaml == chosen.yaml)
        _ = try await one.removeNetwork("a")
        _ = try await two.apply(try await export(first))
        #expect(try await second.specs.load().edits.counts == ["node1": 4, "node2": 2])

        // An empty mesh is older than any file, and a node that gets another name is counted by that.
        _ = try await two.reset()
        #expect(try await second.specs.load().version == MeshSpec().version)
        let renamed = second.mesh(named: "web2")
        _ = try await renamed.apply(try await export(first))
        #expect(try await second.specs.load().yaml == first.specs.load().yaml)
        _ = try await renamed.removeNetwork("b")
        #expect(try await second.specs.load().edits.counts == ["node1": 4, "node2": 2, "web2": 1])
    }

    /// A file that this node's kernel refuses leaves the count as it was.
    @Test func aFileThatIsTakenBackCountsNothing() async throws {
        let node = FakeNode()
        let mesh = node.mesh(named: "node2")
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web", force: true)
        let before = try await node.specs.load()
        #expect(before.edits.counts == ["node2": 1])
        var other = before
        other.version = MeshVersion(generation: 5, edits: EditVector(["node1": 4, "node2": 1]))
        try other.addTask(SpecTask(address: "10.9.0.9"), service: "web")
        node.gate.refuse("IPVS", with: .noMemory)
        await #expect(throws: (any Error).self) { try await mesh.apply(try Self.file(other.yaml)) }
        node.gate.begin()
        var after = try await node.specs.load()
        #expect(after.generation == before.generation + 2, "written and taken back")
        after.generation = before.generation
        #expect(after == before)
    }
}
