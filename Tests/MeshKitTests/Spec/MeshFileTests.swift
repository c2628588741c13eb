import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@_spi(Testing) @testable import MeshKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The YAML file of a mesh: what is read and written, and where faults are.
@Suite struct MeshFileTests {
    /// A mesh that has everything that can be said in a file.
    static func whole() throws -> MeshSpec {
        var spec = MeshSpec()
        spec.meshGeneration = 12
        spec.edits = EditVector(["node1": 7, "node2": 5])
        try spec.addNode("node1", address: "192.168.5.1")
        try spec.addNode("node2", address: "192.168.5.2", gatewaySubnets: ["172.30.0.0/24"])
        spec.nodes["node2"]!.hasZones = true
        try spec.createNetwork("ingress")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.createNetwork("true", subnets: ["10.0.2.0/24", "fd00:2::/64"], identifier: 77)
        spec.networks["true"]!.port = 4790
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web",
            options: .init(scheduler: .maglevHashing, stickySeconds: 600, allowed: ["10.0.0.0/8", "::/0"]))
        try spec.publish(
            PortBinding(1000...1009, .udp, at: "192.168.5.1"), target: 1000, service: "web",
            options: .init(drain: .seconds(300), maxConnections: 40))
        try spec.publish(
            PortBinding(53, .sctp, at: "fd05::1"), target: 5353, service: "web",
            options: .init(stickySeconds: 90, sourceIP: .keep, drain: .seconds(0)))
        var request = TaskAttachmentRequest(
            namespace: "/run/netns/t1", inode: 4_026_532_001, node: "node1", networks: ["back", "true"],
            defaultAddresses: ["fd99::1"])
        try spec.attach(request, service: "web")
        try spec.attach(request, service: "metrics")
        request = TaskAttachmentRequest(
            namespace: "/proc/7/ns/net", inode: 4_026_532_002, container: "1e5", node: "node1", networks: [])
        try spec.attach(request, service: "web")
        request = TaskAttachmentRequest(namespace: "/odd \"name\"\u{1B}/ns", node: "node2", networks: [], weight: 0)
        try spec.attach(request, service: "web")
        try spec.addTask(SpecTask(address: "10.9.0.9", weight: 3, node: "a\u{2028}b"), service: "123")
        try spec.addTask(SpecTask(address: "fd09::9"), service: "123")
        try spec.drain(.address("10.9.0.9"), service: "123")
        try spec.drain(.container("1e5", node: "node1"), service: "web")
        spec.services["empty"] = MeshSpec.Service()
        spec.services["empty"]!.chosenBalancing = .ingress
        spec.services["empty"]!.healthCheck = try HealthCheck("http:/x?a=b#c,host=a.example,status=200,interval=1m")
        spec.services["empty"]!.scheduler = .powerOfTwo
        spec.services["empty"]!.slowStartSeconds = 90
        spec.services["empty"]!.origin = Origin("docker", on: "node2")
        spec.services["123"]!.tasks[1].origin = Origin("podman", on: "node2")
        spec.services["123"]!.tasks[1].isUnhealthy = true
        spec.services["web"]!.ports[0].origin = Origin("docker", on: "node2")
        return spec
    }

    static let context = ApplyContext(node: "node1")

    static func file(_ yaml: String) throws -> MeshFile { try MeshFile(yaml: yaml, name: "mesh.yaml") }

    // MARK: Export

    /// Whoever keeps such a file wants the next version to read it.
    @Test func theText() throws {
        var spec = MeshSpec()
        spec.meshGeneration = 12
        spec.edits = EditVector(["node2": 5, "node1": 7])
        try spec.addNode("node1", address: "192.168.5.1", gatewaySubnets: ["172.18.0.0/16"])
        try spec.createNetwork("ingress")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web",
            options: .init(stickySeconds: 600, allowed: ["10.0.0.0/8"], sourceIP: .nat))
        let request = TaskAttachmentRequest(
            namespace: "/run/netns/t1", inode: 4711, container: "web1", node: "node1", networks: ["back"])
        try spec.attach(request, service: "web")
        try spec.addTask(SpecTask(address: "10.9.0.9", weight: 3), service: "reached")
        #expect(
            spec.yaml == """
                # The whole mesh. `meshctl apply -f FILE` makes it so on another node.
                generation: 12
                edits: {node1: 7, node2: 5}
                nodes:
                  node1:
                    address: 192.168.5.1
                    number: 1
                    gateway: [172.18.0.0/16]
                networks:
                  back:
                    vni: 4097
                    port: 4789
                    subnets: [10.0.1.0/24]
                    balancers:
                      node1: [10.0.1.2]
                  ingress:
                    vni: 4096
                    port: 4789
                    subnets: [10.255.0.0/16, "fd25:6d65:7368::/64"]
                    balancers:
                      node1: [10.255.0.2, "fd25:6d65:7368::2"]
                services:
                  reached:
                    scheduler: rr
                    tasks:
                      - address: 10.9.0.9
                        weight: 3
                  web:
                    scheduler: rr
                    ports:
                      - publish: 1080:80/tcp
                        mark: 0x100
                        sticky: 10m
                        allow: [10.0.0.0/8]
                        source-ip: nat
                    tasks:
                      - address: 10.255.0.3
                        weight: 1
                        node: node1
                        attachment:
                          namespace: /run/netns/t1
                          inode: 4711
                          container: web1
                          networks:
                            back: [10.0.1.4]
                            ingress: [10.255.0.3, "fd25:6d65:7368::3"]
                          gateway: [172.18.0.2]
                    vips:
                      back:
                        addresses: [10.0.1.3]
                        mark: 0x101

                """)
    }

    @Test func exportApplyExportIsTheSame() throws {
        let spec = try Self.whole()
        let text = spec.yaml
        // On a node that knows nothing, and on the same one again.
        for present in [MeshSpec(), spec] {
            let applied = try present.applying(try Self.file(text), in: Self.context)
            #expect(applied == spec)
            #expect(applied.yaml == text)
        }
        // On one that has another mesh, of an older generation.
        var other = MeshSpec()
        other.meshGeneration = 11
        try other.ensureIngress(node: "node9")
        try other.addTask(SpecTask(address: "10.9.0.1"), service: "other")
        #expect(try other.applying(try Self.file(text), in: Self.context).yaml == text)
        // As JSON it says the same.
        let json = String(decoding: try JSONEncoder().encode(try spec.exported()), as: UTF8.self)
        #expect(try MeshSpec().applying(try Self.file(json), in: Self.context) == spec)
        #expect(json.contains(#""generation":12"#) && json.contains(#""node2":5"#), "\(json)")
        #expect(json.contains(#""publish":"1080:80\/tcp""#), "\(json)")
        #expect(MeshSpec().yaml.hasSuffix("generation: 0\n"))
        #expect(try MeshSpec().applying(try Self.file(MeshSpec().yaml), in: Self.context) == MeshSpec())
    }

    @Test(
        arguments: [
            ("web", "web"), ("/run/netns/t1", "/run/netns/t1"), ("10.0.0.1", "10.0.0.1"), ("10.0.0.0/8", "10.0.0.0/8"),
            ("1080:80/tcp", "1080:80/tcp"), ("10.0.0.1:1-2:3-4/udp", "10.0.0.1:1-2:3-4/udp"), ("::/0", "\"::/0\""),
            ("fd00::1", "\"fd00::1\""), ("true", "\"true\""), ("No", "\"No\""), ("123", "\"123\""),
            ("1:20", "\"1:20\""), ("1:20/", "\"1:20/\""),
            ("2001:db8::1", "\"2001:db8::1\""), ("1.2.3.4.5", "\"1.2.3.4.5\""), ("10.0.0.a", "\"10.0.0.a\""),
            ("1.5", "\"1.5\""), ("", "\"\""), ("-", "\"-\""), ("a b", "\"a b\""), ("a\"\\", "\"a\\\"\\\\\""),
            ("a\u{1B}\n", "\"a\\U0000001B\\U0000000A\""), ("é", "\"é\""), ("\u{202E}", "\"\\U0000202E\""),
            ("~", "\"~\""),
        ])
    func scalarsAreQuotedWhereTheyMustBe(text: String, scalar: String) throws {
        var spec = MeshSpec()
        spec.services[text] = MeshSpec.Service()
        #expect(spec.yaml.contains("\n  \(scalar):\n"), "\(spec.yaml)")
    }

    /// The fuzzer begins with files that are taken, and with one that is refused.
    @Test func theFuzzersSeeds() throws {
        let repository = (0..<4).reduce(FilePath(#filePath)) { path, _ in path.removingLastComponent() }
        let folder = repository.appending("Fuzz/MeshFiles")
        for (name, isTaken) in [("mesh.yaml", true), ("part.json", true), ("late-generation.yaml", false)] {
            let text = try folder.appending(name).text()
            #expect(MeshFile.take(text) == isTaken, "\(name)")
        }
    }

    // MARK: Generations

    @Test func anOlderFileIsRefused() throws {
        let text = try Self.whole().yaml
        var present = MeshSpec()
        present.meshGeneration = 13
        try present.addTask(SpecTask(address: "10.9.0.1"), service: "other")
        let error = #expect(throws: InputError.self) {
            try present.applying(try Self.file(text), in: Self.context)
        }
        #expect(
            error?.description.hasPrefix("mesh.yaml:2:13: the file has generation 12, and the mesh here has 13") == true
        )
        #expect(error?.description.contains("--force") == true)
        var context = Self.context
        context.forces = true
        let forced = try present.applying(try Self.file(text), in: context)
        #expect(forced.services["other"] == nil && forced.services["web"] != nil)
        #expect(forced.meshGeneration == 14, "newer than both")
        #expect(forced.edits.counts == ["node1": 8, "node2": 5])
    }

    @Test func generationsOfAnAppliedFile() throws {
        var spec = try Self.whole()
        spec.edits = EditVector()
        func generation(from present: UInt64, same: Bool, file: UInt64?) throws -> UInt64 {
            var before = same ? spec : MeshSpec()
            before.meshGeneration = present
            let text = spec.yaml.replacing("generation: 12\n", with: file.map { "generation: \($0)\n" } ?? "")
            return try before.applying(try Self.file(text), in: Self.context).meshGeneration
        }
        #expect(try generation(from: 3, same: false, file: 12) == 12, "the file's where it is newer")
        #expect(try generation(from: 3, same: true, file: 12) == 12)
        #expect(try generation(from: 12, same: true, file: 12) == 12, "the same mesh")
        #expect(try generation(from: 12, same: false, file: 12) == 13, "another mesh of the same generation")
        #expect(try generation(from: 12, same: true, file: nil) == 12)
        #expect(try generation(from: 12, same: false, file: nil) == 13)
    }

    // MARK: Mesh

    @Test func applyingAFileToAMesh() async throws {
        let first = FakeNode()
        first.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        let mesh = first.mesh(named: "node1")
        let file = try Self.file(
            """
            nodes: {node1: {address: 192.168.5.1}, node2: {address: 192.168.5.2}}
            services:
              web:
                tasks: [{attachment: {namespace: t1}}]
            """)
        let preview = try await mesh.preview(file)
        #expect(preview.differences.contains { $0.hasPrefix("+ node node2: at 192.168.5.2, number 2") })
        #expect(preview.differences.contains { $0.hasPrefix("+ service web, task 10.255.0.4: weight 1, node node1") })
        #expect(try await first.specs.load() == MeshSpec(), "to look is not to change")
        let applied = try await mesh.apply(file).change
        #expect(applied.didChange && applied.spec.meshGeneration == 1)
        #expect(applied.spec.services["web"]?.tasks.first?.attachment?.inode == 7)
        #expect(try await mesh.preview(file).differences == [])
        _ = try await mesh.addNode("node3", address: nil)
        let text = try await first.specs.load().yaml
        #expect(text.contains("generation: 2\n"))

        // The other node takes the mesh as it is, and edits it.
        let second = FakeNode()
        let other = second.mesh(named: "node2")
        _ = try await other.apply(try Self.file(text))
        #expect(try await second.specs.load().yaml == text)
        _ = try await other.removeNode("node3")
        let newer = try await second.specs.load().yaml
        _ = try await mesh.apply(try Self.file(newer))
        #expect(try await first.specs.load().yaml == newer)
        let error = await #expect(throws: InputError.self) { try await mesh.apply(try Self.file(text)) }
        #expect(error?.description.contains("has generation 2, and the mesh here has 3") == true)
        _ = try await mesh.apply(try Self.file(text), forcing: true)
        #expect(try await first.specs.load().nodes["node3"] != nil)
        #expect(try await first.specs.load().meshGeneration == 4)
        // After a reset the mesh can be made from any file.
        _ = try await mesh.reset()
        _ = try await mesh.apply(try Self.file(text))
        #expect(try await first.specs.load().yaml == text)
    }

    @Test func aNamespaceThatIsNotThereIsNamedWithItsPlace() async throws {
        let node = FakeNode()
        let mesh = node.mesh(named: "node1")
        let error = await #expect(throws: InputError.self) {
            try await mesh.apply(try Self.file("services:\n  web: {tasks: [{attachment: {namespace: t9}}]}"))
        }
        #expect(error?.description == "mesh.yaml:2:17: there is no network namespace at /run/netns/t9")
        #expect(try await node.specs.load() == MeshSpec())
    }
}
