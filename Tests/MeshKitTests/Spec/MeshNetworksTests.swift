import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// The edits of nodes, networks and attached tasks by ``Mesh``, which looks at the host first.
@Suite struct MeshNetworksTests {
    private static func node(_ tasks: [String: TaskFacts] = [:]) -> FakeNode {
        let node = FakeNode()
        node.kernel.withState { state in
            for (path, facts) in tasks {
                state.addTask(path, inode: facts.inode, defaultAddresses: facts.defaultAddresses)
            }
        }
        return node
    }

    private static func mesh(_ node: FakeNode, named name: String? = "a") -> Mesh {
        node.mesh(named: name)
    }

    @Test func theFirstTaskMakesTheNodeAndIngress() async throws {
        let node = Self.node(["/run/netns/t1": TaskFacts(inode: 7, defaultAddresses: ["192.168.5.9"])])
        node.kernel.withState {
            $0.hostNetworks.prefixes["172.18.0.0/16"] = "docker_gwbridge"
            $0.hostNetworks.tunnels = [.init(4096)]
        }
        let attached = try await Self.mesh(node).attach("/run/netns/t1", service: "web", weight: 3)
        let spec = try await node.specs.load()
        #expect(attached.change.spec == spec && attached.change.didChange)
        #expect(spec.nodes["a"]?.gatewaySubnets.first == "172.19.0.0/16")
        #expect(spec.networks["ingress"]?.identifier == 4096 && spec.networks["ingress"]?.port == 4790)
        let task = try #require(spec.services["web"]?.tasks.first)
        #expect(attached.tasks == [task] && task.weight == 3 && task.node == "a")
        #expect(task.attachment?.inode == 7 && task.attachment?.defaultAddresses == ["192.168.5.9"])
        #expect(task.attachment?.gatewayAddresses == ["fd18:6d65:7368::2"], "only where it has no default route")
        #expect(try node.ledgers.load()?.node == "a")
    }

    @Test func aNamespaceThatIsNotThereChangesNothing() async throws {
        let node = Self.node()
        let error = await #expect(throws: InputError.self) {
            try await Self.mesh(node).attach("/run/netns/t1", service: "web")
        }
        #expect(error?.description.contains("no network namespace at /run/netns/t1") == true)
        #expect(try await node.specs.load() == MeshSpec())
        #expect(node.gate.operations == [])
    }

    /// The namespace of another node cannot be looked at, and the node has to be known.
    @Test func aTaskOfAnotherNode() async throws {
        let node = Self.node()
        let mesh = Self.mesh(node)
        let error = await #expect(throws: InputError.self) {
            try await mesh.attach("/run/netns/t1", service: "web", node: "b")
        }
        #expect(error?.description.contains("meshctl node add b --address IP") == true)
        _ = try await mesh.addNode("b", address: "192.168.5.2")
        let attached = try await mesh.attach("/run/netns/t1", service: "web", node: "b")
        let task = try #require(attached.tasks.first)
        #expect(task.node == "b" && task.attachment?.inode == nil && task.attachment?.gatewayAddresses.count == 2)
        #expect(attached.change.spec.nodes.keys.sorted() == ["b"], "this node has no part in it yet")
    }

    @Test func theHostCountsForThisNodeOnly() async throws {
        let node = Self.node()
        node.kernel.withState { $0.hostNetworks.prefixes["172.16.0.0/12"] = "vpn0" }
        let mesh = Self.mesh(node)
        let own = try await mesh.addNode("a", address: "192.168.5.1")
        #expect(own.change.spec.nodes["a"]?.gatewaySubnets.first == "192.168.16.0/20", "192.168.5.0/24 is up0's")
        let other = try await mesh.addNode("b", address: "192.168.5.2")
        #expect(other.change.spec.nodes["b"]?.gatewaySubnets.first == "172.18.0.0/16")
        #expect(try await mesh.removeNode("b").spec.nodes.keys.sorted() == ["a"])
    }

    @Test func networksKeepClearOfTheHost() async throws {
        let node = Self.node()
        let mesh = Self.mesh(node)
        let made = try await mesh.createNetwork("back")
        #expect(made.change.spec.networks["back"]?.subnets == ["10.0.1.0/24"], "10.0.0.0/24 is br0's")
        await #expect(throws: InputError.self) {
            try await mesh.createNetwork("front", subnets: ["192.168.5.128/25"])
        }
        #expect(try await mesh.removeNetwork("back").spec.networks.isEmpty)
    }

    @Test func detachingFreesTheAddresses() async throws {
        let node = Self.node(["/run/netns/t1": TaskFacts(inode: 7), "/run/netns/t2": TaskFacts(inode: 8)])
        let mesh = Self.mesh(node)
        let first = try await mesh.attach("/run/netns/t1", service: "web")
        try await expectSecondIsRefused(mesh)
        #expect(try await mesh.detach(.namespace("/run/netns/t1", node: nil), service: "web").tasks == first.tasks)
        let second = try await mesh.attach("/run/netns/t2", service: "web")
        #expect(second.tasks.first?.address == first.tasks.first?.address)
        #expect(try await mesh.detach(.node("a"), service: "web").change.spec.services["web"]?.tasks == [])
    }

    /// The process of a container is another way to its namespace.
    @Test func detachingByAnotherPath() async throws {
        let node = Self.node([
            "/run/netns/t1": TaskFacts(inode: 7), "/proc/99/ns/net": TaskFacts(inode: 7),
            "/proc/98/ns/net": TaskFacts(inode: 8),
        ])
        let mesh = Self.mesh(node)
        let first = try await mesh.attach("/run/netns/t1", service: "web")
        for path in ["/proc/98/ns/net", "/proc/97/ns/net"] {
            let error = await #expect(throws: InputError.self) {
                try await mesh.detach(.namespace(path, node: nil), service: "web")
            }
            #expect(error?.description.contains("no task attached by \(path) on node a") == true)
        }
        // A namespace that cannot be looked at may be the task's.
        node.gate.hide("/proc/99/ns/net", with: .tooManyOpenFiles)
        await #expect(throws: PlaceError.self) {
            try await mesh.detach(.namespace("/proc/99/ns/net", node: nil), service: "web")
        }
        node.gate.hide(nil)
        #expect(try await mesh.detach(.namespace("/proc/99/ns/net", node: nil), service: "web").tasks == first.tasks)
    }

    /// `docker restart` gives a container another process and another namespace.
    @Test func aContainerThatWasStartedAnew() async throws {
        let node = Self.node(["/proc/7/ns/net": TaskFacts(inode: 7, defaultAddresses: ["172.17.0.2"])])
        let mesh = Self.mesh(node)
        let first = try await mesh.attach("/proc/7/ns/net", container: "web1", service: "web")
        _ = try await mesh.attach("/proc/7/ns/net", container: "web1", service: "metrics")
        #expect(try await mesh.plan().isEmpty)
        node.kernel.withState {
            $0.removeTask("/proc/7/ns/net")
            $0.addTask("/proc/8/ns/net", inode: 7, defaultAddresses: ["172.17.0.3"])
        }
        let notes = try await mesh.plan().notes
        #expect(
            notes.contains {
                $0.contains("task 10.255.0.3 of service web is gone")
                    && $0.contains("attach it again with `meshctl task attach web --container web1`, or forget it")
            }, "\(notes)")
        let again = try await mesh.attach("/proc/8/ns/net", container: "web1", service: "web")
        #expect(again.tasks.map(\.address) == first.tasks.map(\.address))
        let task = try #require(again.change.spec.services["metrics"]?.tasks.first)
        #expect(task.attachment?.namespace == "/proc/8/ns/net" && task.attachment?.defaultAddresses == ["172.17.0.3"])
        let plan = try await mesh.plan()
        #expect(plan.isEmpty && plan.notes.isEmpty, "\(plan)")
        #expect(try node.ledgers.load()?.places[.task("/proc/7/ns/net")] == nil)
        #expect(try await mesh.detach(.container("web1", node: nil), service: "web").tasks == again.tasks)
        #expect(try await mesh.plan().isEmpty, "it is still a task of the other service")
        _ = try await mesh.detach(.container("web1", node: nil), service: "metrics")
        #expect(node.kernel.withState { $0.namespaces["/proc/8/ns/net"]?.interfaces.keys.sorted() } == ["eth0"])
    }

    /// A running task joins a network, and leaves it, without a change to what it is on otherwise.
    @Test func servicesJoinAndLeaveNetworks() async throws {
        let node = Self.node(["/run/netns/t1": TaskFacts(inode: 7), "/run/netns/t2": TaskFacts(inode: 8)])
        let mesh = Self.mesh(node)
        _ = try await mesh.createNetwork("back", subnets: ["10.0.1.0/24"])
        for name in ["t1", "t2"] { _ = try await mesh.attach("/run/netns/\(name)", service: "web") }
        func interfaces() -> [String] {
            node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.keys.sorted() }
        }
        let before = interfaces()
        let connected = try await mesh.connect(["web"], to: "back")
        #expect(connected.change.didChange && interfaces().count == before.count + 1)
        #expect(try await mesh.plan().isEmpty)
        #expect(try await !mesh.connect(["web"], to: "back").change.didChange)
        _ = try await mesh.disconnect(["web"], from: "back")
        #expect(try await mesh.plan().isEmpty && interfaces() == before)
        _ = try await mesh.removeNetwork("back")
    }

    private func expectSecondIsRefused(_ mesh: Mesh) async throws {
        let error = await #expect(throws: InputError.self) { try await mesh.attach("/run/netns/t1", service: "web") }
        #expect(error?.description.contains("attached already") == true)
    }

    @Test func resetForgetsNetworksAndNodes() async throws {
        let node = Self.node(["/run/netns/t1": TaskFacts(inode: 7)])
        let mesh = Self.mesh(node)
        _ = try await mesh.attach("/run/netns/t1", service: "web")
        let spec = try await mesh.reset().spec
        #expect(spec.services.isEmpty && spec.networks.isEmpty && spec.nodes.isEmpty)
    }

    // MARK: The node's name

    @Test func aNodeThatHoldsNothingIsRenamed() async throws {
        let node = Self.node()
        _ = try await Self.mesh(node, named: "a").addNode("a", address: nil)
        #expect(try node.ledgers.load()?.node == "a")
        _ = try await Self.mesh(node, named: "b").reconcile()
        #expect(try node.ledgers.load()?.node == "b", "also if nothing else changes")
        _ = try await Self.mesh(node, named: nil).reconcile()
        #expect(try node.ledgers.load()?.node == "b", "kept")
    }

    @Test func aNodeThatHoldsSomethingKeepsItsName() async throws {
        let node = Self.node()
        _ = try await Self.mesh(node, named: "a").change { spec, _ in
            try spec.addTask(SpecTask(address: "10.0.0.2"), service: "web")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web")
        }
        for work: @Sendable (Mesh) async throws -> Void in [
            { _ = try await $0.reconcile() }, { _ = try await $0.plan() }, { _ = try await $0.reset() },
        ] {
            let error = await #expect(throws: InputError.self) { try await work(Self.mesh(node, named: "b")) }
            #expect(error?.description.contains("that of node a") == true, "\(String(describing: error))")
        }
        _ = try await Self.mesh(node, named: "a").reset()
        _ = try await Self.mesh(node, named: "b").reconcile()
        #expect(try node.ledgers.load()?.node == "b")
    }

    @Test func aNameThatNoNodeHasIsRefused() async throws {
        let node = Self.node()
        await #expect(throws: InputError.self) { try await Self.mesh(node, named: "a b").reconcile() }
        #expect(try node.ledgers.load() == nil)
        #expect(MeshSpec.isNodeName(Ledger.hostName()))
    }
}
