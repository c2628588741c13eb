import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Attached tasks whose addresses somebody has written by hand.
extension MeshFileTests {
    private static let gateways: [IPAddress] = ["172.18.0.2", "fd18:6d65:7368::2"]

    private static func nodes() throws -> MeshSpec {
        var spec = MeshSpec()
        for name in ["node1", "node2"] { try spec.addNode(name) }
        try spec.createNetwork("ingress")
        return spec
    }

    /// - Parameter more: further fields of the attachment.
    private static func text(node: String = "node1", namespace: String = "a", _ more: String = "") -> String {
        """
        services:
          web:
            tasks:
              - node: \(node)
                attachment: {namespace: \(namespace), networks: {ingress: [10.255.0.9, "fd25:6d65:7368::9"]}\(more)}
        """
    }

    /// What is known where somebody has looked into the namespace.
    private static func looked(_ defaultAddresses: IPAddress...) -> ApplyContext {
        var context = Self.context
        context.facts["/run/netns/a"] = TaskFacts(inode: 9, defaultAddresses: defaultAddresses)
        context.hasZones = true
        return context
    }

    private static func attachment(_ spec: MeshSpec) -> TaskAttachment? {
        spec.services["web"]?.tasks.first?.attachment
    }

    /// The namespace decides whether the task needs a way out.
    @Test func aTaskThatIsWrittenWithItsAddressesHasAWayOut() throws {
        let file = try Self.file(Self.text())
        let spec = try Self.nodes().applying(file, in: Self.looked())
        #expect(
            Self.attachment(spec)
                == TaskAttachment(
                    namespace: "/run/netns/a", inode: 9,
                    addresses: ["ingress": ["10.255.0.9", "fd25:6d65:7368::9"]], gatewayAddresses: Self.gateways))
        #expect(spec.nodes["node1"]?.hasZones == true)
        // Again, also after the namespace has ended.
        #expect(try spec.applying(file, in: Self.looked()) == spec)
        #expect(try spec.applying(file, in: Self.context) == spec)
        // With a default route of its own.
        let own = try Self.nodes().applying(file, in: Self.looked("172.17.0.2"))
        #expect(Self.attachment(own)?.gatewayAddresses == ["fd18:6d65:7368::2"])
        #expect(Self.attachment(own)?.defaultAddresses == ["172.17.0.2"])
        // A task that an earlier version took without.
        var former = spec
        former.services["web"]!.tasks[0].attachment!.gatewayAddresses = []
        let repaired = try former.applying(file, in: Self.looked())
        #expect(Self.attachment(repaired)?.gatewayAddresses == Self.gateways)
    }

    @Test func whatTheFileSaysOfTheWayOut() throws {
        let chosen = try Self.nodes().applying(
            try Self.file(Self.text(", gateway: [172.18.0.77]")), in: Self.looked())
        #expect(Self.attachment(chosen)?.gatewayAddresses == ["172.18.0.77", "fd18:6d65:7368::2"])
        let same = try Self.nodes().applying(
            try Self.file(Self.text(", default: [172.17.0.2]")), in: Self.looked("172.17.0.2"))
        #expect(Self.attachment(same)?.defaultAddresses == ["172.17.0.2"])
        let error = #expect(throws: InputError.self) {
            try Self.nodes().applying(try Self.file(Self.text(", default: [172.17.0.9]")), in: Self.looked())
        }
        #expect(
            error?.description.contains("no default route of /run/netns/a leads by 172.17.0.9") == true
                && error?.description.hasPrefix("mesh.yaml:5:") == true, "\(String(describing: error))")
    }

    /// The namespace of another node is taken for one without default routes, as `meshctl task attach --node` does.
    @Test func aTaskOfAnotherNodeHasAWayOutToo() throws {
        let spec = try Self.nodes().applying(try Self.file(Self.text(node: "node2")), in: Self.context)
        #expect(Self.attachment(spec)?.gatewayAddresses == Self.gateways && Self.attachment(spec)?.inode == nil)
        let error = #expect(throws: InputError.self) {
            try Self.nodes().applying(try Self.file(Self.text(node: "node3")), in: Self.context)
        }
        #expect(error?.description.contains("there is no node node3") == true)
    }

    /// A file of the whole mesh says what there is.
    @Test func aWholeFileIsExact() throws {
        var spec = try Self.nodes().applying(try Self.file(Self.text()), in: Self.looked())
        spec.services["web"]!.tasks[0].attachment!.gatewayAddresses = []
        #expect(try MeshSpec().applying(try Self.file(spec.yaml), in: Self.looked("172.17.0.2")) == spec)
    }

    @Test func theNamespaceOfSuchATaskIsLookedAt() async throws {
        let node = FakeNode()
        node.kernel.withState { $0.addTask("/run/netns/a", inode: 7) }
        let mesh = node.mesh(named: "node1")
        _ = try await mesh.addNode("node1", address: nil)
        _ = try await mesh.createNetwork("ingress")
        let error = await #expect(throws: InputError.self) {
            try await mesh.apply(try Self.file(Self.text(namespace: "nosuch")))
        }
        #expect(
            error?.description == "mesh.yaml:4:9: there is no network namespace at /run/netns/nosuch",
            "\(String(describing: error))")
        let file = try Self.file(Self.text())
        let applied = try await mesh.apply(file)
        #expect(Self.attachment(applied.change.spec)?.gatewayAddresses.count == 2)
        #expect(Self.attachment(applied.change.spec)?.inode == 7)
        #expect(try await mesh.plan().isEmpty)
        // A task that has ended does not keep the same file from being applied.
        node.kernel.withState { $0.removeTask("/run/netns/a") }
        #expect(try await mesh.preview(file).differences == [])
    }
}
