import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// `reset --all`: what is found without the documents, by the marks that the kernel keeps.
@Suite struct RecoveryTests {
    private static let web = PortBinding(1080, .tcp)

    /// A node with a port on the ingress network, a task attached to it and to a user network, and one of its own.
    private static func standing(_ node: FakeNode, tool: RuleTool) async throws {
        node.kernel.withState { state in
            state.addTask("/run/netns/web1", inode: 42)
            state.addTask("/proc/4711/ns/net", inode: 43, defaultAddresses: ["172.17.0.2"])
        }
        let name = Ledger.hostName()
        try await node.specs.update { spec in
            try spec.addNode(name, address: "192.168.5.1")
            try spec.addNode("other", address: "192.168.5.2")
            try spec.ensureIngress(node: name)
            try spec.createNetwork("net1")
            try spec.attach(
                TaskAttachmentRequest(namespace: "/run/netns/web1", inode: 42, node: name, networks: ["net1"]),
                service: "nginx")
            try spec.attach(
                TaskAttachmentRequest(
                    namespace: "/proc/4711/ns/net", inode: 43, node: name, defaultAddresses: ["172.17.0.2"]),
                service: "nginx")
            try spec.publish(web, target: 80, service: "nginx")
            try spec.addTask(SpecTask(address: "192.168.7.11", node: name), service: "near")
            try spec.publish(PortBinding(1081, .tcp), target: 80, service: "near")
        }
        _ = try await node.mesh(tool: tool).reconcile()
    }

    private static func withoutDocuments(_ node: FakeNode, folder: String = "/var/lib/meshctl") -> Mesh {
        Mesh(
            store: FakeSpecStore(gate: node.gate), ledger: FakeLedgerStore(gate: node.gate, folder: folder),
            kernel: node.kernel)
    }

    /// Nothing of the mesh is left but values of settings, of which only the documents knew the former ones.
    @Test(arguments: RuleTool.allCases) func whatTheLostDocumentsKnewOfIsRemoved(tool: RuleTool) async throws {
        let node = FakeNode()
        let before = try await node.kernelText().filter { !$0.contains(" sysctl ") && !$0.contains(" timeouts ") }
        try await Self.standing(node, tool: tool)
        // Somebody else's service, and an empty namespace of a name that could be ours.
        try await node.kernel.withState { $0.namespaces["node"]! }.client
            .create(VirtualService(id: .firewallMark(0x777, .ipv4), scheduler: "wlc"))
        let mesh = Self.withoutDocuments(node)
        let change = try await mesh.reset(recovering: true)
        let notes = change.plan.notes.joined(separator: "\n")
        #expect(notes.contains("`ipvsadm -D -f 1911`") && !notes.contains("-f 256"), "\(notes)")
        node.kernel.withState { state in
            #expect(Set(state.namespaces.keys) == ["node", "/run/netns/web1", "/proc/4711/ns/net"])
            for path in state.tasks.keys { state.removeTask(path) }
        }
        #expect(try await node.marksInKernel() == [0x777])
        try await node.kernel.withState { $0.namespaces["node"]! }.client.delete(.firewallMark(0x777, .ipv4))
        let after = try await node.kernelText().filter { !$0.contains(" sysctl ") && !$0.contains(" timeouts ") }
        #expect(after == before)
        #expect(try await mesh.reset(recovering: true).plan.isEmpty)
    }

    @Test func withoutBeingAskedResetEntersNoOtherNamespace() async throws {
        let node = FakeNode()
        try await Self.standing(node, tool: .nftables)
        _ = try await Self.withoutDocuments(node).reset()
        #expect(node.kernel.withState { $0.namespaces.keys.contains("ingress_sbox") })
    }

    /// Traces of three nodes of one kernel, of which each takes its own.
    @Test func eachNodeTakesItsOwn() {
        func trace(_ location: Trace.Location, _ links: Set<String>, of folder: String?) -> Trace {
            var trace = Trace(location)
            trace.links = links
            if let folder { trace.owners = [.nftables: RuleOwner(id: "0123456789abcdef", folder: folder)] }
            return trace
        }
        let traces = [
            trace(.name("ingress_sbox"), ["eth0", "eth1"], of: "/var/lib/meshctl"),
            trace(.name("ingress_sbox-a"), ["eth0", "eth1"], of: "/srv/a"),
            trace(.name("mesh_ingress"), ["br0"], of: nil),
            trace(.name("mesh_ingress-a"), ["br0"], of: nil),
            trace(.name("lb_net-a"), ["eth0"], of: "/srv/a"),
            trace(.name("mesh_ingress-b"), ["br0"], of: nil),
            trace(.name("ingress_sbox-b"), ["eth0", "eth1"], of: "/srv/b"),
            trace(.name("web1"), ["mesh4096"], of: "/var/lib/meshctl"),
            trace(.name("web2"), ["mesh4096"], of: "/srv/a"),
            trace(.file("/proc/7/ns/net"), ["mesh4096"], of: "/srv/a"),
        ]
        func places(_ node: String, _ folder: String) -> [String] {
            var ledger = Ledger(node: node)
            ledger.recover(traces, folder: folder)
            return ledger.places.keys.sorted().map(\.rawValue)
        }
        #expect(places("host", "/var/lib/meshctl") == ["ingress_sbox", "mesh_ingress", "task:/run/netns/web1"])
        #expect(
            places("a", "/srv/a")
                == ["ingress_sbox", "lb_net", "mesh_ingress", "task:/proc/7/ns/net", "task:/run/netns/web2"])
    }

    @Test func anEmptyNamespaceOfOurNameIsNamedAndStays() {
        var traces = Traces()
        traces.bare = ["lb_net1", "web", "lb_net2-b"]
        #expect(Ledger(node: "host").bareNames(among: traces, folder: "/var/lib/meshctl") == ["lb_net1", "lb_net2-b"])
        #expect(Ledger(node: "b").bareNames(among: traces, folder: "/srv/b") == ["lb_net2-b"])
    }
}
