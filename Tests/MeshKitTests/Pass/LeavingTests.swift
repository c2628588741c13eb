import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The addresses of attached tasks that have left and still have connections.
@Suite struct LeavingTests {
    private static let web = PortBinding(1080, .tcp)

    /// A node with an attached task, to whose published port a connection leads.
    private static func node() async throws -> (node: FakeNode, address: IPAddress) {
        let node = FakeNode()
        for (index, name) in ["t1", "t2"].enumerated() {
            node.kernel.withState { $0.addTask("/run/netns/\(name)", inode: UInt64(7 + index)) }
        }
        let attached = try await node.mesh().attach("/run/netns/t1", container: "web1", service: "nginx")
        _ = try await node.mesh().publish([(web, 80)], service: "nginx", force: true)
        let address = try #require(attached.tasks.first?.address)
        connect(node, address)
        return (node, address)
    }

    private static func connect(_ node: FakeNode, _ address: IPAddress) {
        node.kernel.withState {
            $0.connections[RetiringDestination(.init(address, port: 80), of: .firewallMark(0x100, .ipv4))] = 1
        }
    }

    private static func retiring(_ node: FakeNode) throws -> [RetiringPath] {
        try #require(try node.ledgers.load()).places.values.flatMap(\.retiring)
    }

    private static func tasks(_ node: FakeNode) async throws -> [SpecTask] {
        try await node.specs.load().services["nginx"]?.tasks ?? []
    }

    @Test func aTaskThatComesBackHasItsAddresses() async throws {
        let (node, _) = try await Self.node()
        let before = try await Self.tasks(node)
        let interfaces = node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) }
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        #expect(try Self.retiring(node).contains { !$0.tasks.isEmpty })
        _ = try await node.mesh().attach("/run/netns/t1", container: "web1", service: "nginx")
        #expect(try await Self.tasks(node) == before)
        #expect(node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) } == interfaces)
        #expect(try Self.retiring(node) == [], "it has new connections again")
        #expect(try await node.mesh().plan().isEmpty)
    }

    @Test func aContainerThatWasStartedAnewHasItsAddresses() async throws {
        let (node, address) = try await Self.node()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        node.kernel.withState {
            $0.removeTask("/run/netns/t1")
            $0.addTask("/run/netns/t3", inode: 9)
        }
        let again = try await node.mesh().attach("/run/netns/t3", container: "web1", service: "nginx")
        #expect(again.tasks.map(\.address) == [address])
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// Whatever allocates: a task, a node's balancer, a service's address on a network, and a file.
    @Test(arguments: ["attach", "node", "file", "found"]) func nobodyElseGetsTheAddresses(how: String) async throws {
        let (node, address) = try await Self.node()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        switch how {
        case "attach": _ = try await node.mesh().attach("/run/netns/t2", service: "nginx")
        case "node": _ = try await node.mesh().addNode("node3", address: "192.168.5.3")
        case "file":
            let yaml = "services: {nginx: {ports: ['1080:80'], tasks: [{attachment: {namespace: /run/netns/t2}}]}}"
            _ = try await node.mesh().apply(MeshFile(yaml: yaml, name: "mesh.yaml"))
        default:
            var task = FoundTask("web2", services: ["nginx"])
            task.attachment = .init(namespace: "/run/netns/t2")
            _ = try await node.mesh().follow(retry: false, found: ["docker": [task]]) { _, _ in }
        }
        let used = try await node.specs.load().usedAddresses(on: MeshNetwork.ingress)
        #expect(!used.contains(address), "\(how): \(used)")
        #expect(try Self.retiring(node).contains { $0.tasks.contains { $0.address == address } })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// The same for a task that a file replaces by another one.
    @Test func aTaskThatAFileReplacesKeepsItsAddress() async throws {
        let (node, address) = try await Self.node()
        let yaml = "services: {nginx: {ports: ['1080:80'], tasks: [{attachment: {namespace: /run/netns/t2}}]}}"
        _ = try await node.mesh().apply(MeshFile(yaml: yaml, name: "mesh.yaml"), pruning: true)
        #expect(try await Self.tasks(node).map(\.attachment?.namespace) == ["/run/netns/t2"])
        #expect(try await Self.tasks(node).allSatisfy { $0.address != address })
        #expect(try Self.retiring(node).contains { $0.tasks.contains { $0.address == address } })
    }

    /// Connections lead over the other node and over the network, which stay until these have ended or are cut.
    @Test(arguments: ["node", "network"]) func whatTheyLeadOverIsNotRemoved(what: String) async throws {
        let node = FakeNode()
        for (name, number) in [("node1", 1), ("node2", 2)] {
            _ = try await node.mesh().addNode(name, address: IPAddress("192.168.5.\(number)"))
        }
        let own = try #require(try node.ledgers.load()).node
        if own != "node1" { _ = try await node.mesh().addNode(own, address: "192.168.5.9") }
        let attached = try await node.mesh().attach("/run/netns/far", service: "nginx", node: "node2")
        _ = try await node.mesh().publish([(Self.web, 80)], service: "nginx", force: true)
        Self.connect(node, try #require(attached.tasks.first?.address))
        _ = try await node.mesh().detach(.node("node2"), service: "nginx")
        func remove() async throws {
            if what == "node" {
                _ = try await node.mesh().removeNode("node2")
            } else {
                _ = try await node.mesh().removeNetwork(MeshNetwork.ingress)
            }
        }
        let error = await #expect(throws: InputError.self) { try await remove() }
        #expect(error?.description.contains("meshctl reconcile --now") == true, "\(String(describing: error))")
        _ = try await node.mesh().reconcile(cutting: .all)
        try await remove()
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// What is found on one node is passed on as often as it changes, and nobody's mesh is the newer one for it.
    @Test func foundTasksArePassedOnAgainAndAgain() async throws {
        let (node, other) = (FakeNode(), FakeNode())
        _ = try await node.mesh().publish([(Self.web, 80)], service: "nginx", force: true)
        for last in [2, 3, 4] as [UInt8] {
            var task = FoundTask("web\(last)", services: ["nginx"])
            task.addresses = [IPAddress(ipv4: 172 << 24 | 17 << 16 | UInt32(last))]
            _ = try await node.mesh().follow(retry: false, found: ["docker": [task]]) { _, _ in }
            let exported = try await node.specs.load().yaml
            let mesh = other.mesh(named: "other")
            _ = try await mesh.apply(MeshFile(yaml: exported, name: "mesh.yaml"))
            let (here, there) = (try await node.specs.load(), try await other.specs.load())
            #expect(there.services["nginx"]?.tasks.map(\.address) == task.addresses)
            #expect(there.meshGeneration == here.meshGeneration)
        }
    }

    /// A node knows better than any file what its own sources have found, so that it has to be told there.
    @Test func aDrainOfATaskThatAnotherNodeHasFound() async throws {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, _ in
            let origin = Origin("docker", on: "elsewhere")
            try spec.addTask(SpecTask(address: "172.17.0.2", node: "elsewhere", origin: origin), service: "web")
        }
        for change in [
            try await node.mesh().drain(.node("elsewhere"), service: "web"),
            try await node.mesh().undrain(.node("elsewhere"), service: "web"),
        ] {
            #expect(change.warnings.count == 1 && change.warnings[0].contains("node elsewhere has found 172.17.0.2"))
        }
    }

    /// A container that the operator has attached starts anew. That is no edit, and no file of another node undoes it.
    @Test func aContainerThatStartsAnewIsNoEdit() async throws {
        let (node, other) = (FakeNode(), FakeNode())
        node.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        _ = try await node.mesh().attach("/run/netns/t1", container: "web1", service: "nginx")
        let elsewhere = other.mesh(named: "other")
        func pass(from one: FakeNode, to mesh: Mesh) async throws {
            _ = try await mesh.apply(MeshFile(yaml: try await one.specs.load().yaml, name: "mesh.yaml"))
        }
        try await pass(from: node, to: elsewhere)
        let address = try #require(try await Self.tasks(node).first?.address)
        for inode in [8, 9] as [UInt64] {
            node.kernel.withState {
                $0.removeTask("/run/netns/t\(inode - 7)")
                $0.addTask("/run/netns/t\(inode - 6)", inode: inode)
            }
            var task = FoundTask("web1", services: ["web1"])
            task.namespace = "/run/netns/t\(inode - 6)"
            _ = try await node.mesh().follow(retry: false, found: ["docker": [task]]) { _, _ in }
            #expect(try await Self.tasks(node).map(\.attachment?.inode) == [inode])
            try await pass(from: other, to: node.mesh())
            #expect(try await Self.tasks(node).map(\.attachment?.inode) == [inode], "this node knows better")
            try await pass(from: node, to: elsewhere)
            #expect(try await Self.tasks(node).map(\.address) == [address])
            #expect(try await other.specs.load().meshGeneration == node.specs.load().meshGeneration)
        }
    }

    /// A container of the same name is another one while the namespace of the first lives.
    @Test func anotherContainerOfTheSameNameGetsOtherAddresses() async throws {
        let (node, address) = try await Self.node()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        let other = try await node.mesh().attach("/run/netns/t2", container: "web1", service: "nginx")
        #expect(other.tasks.allSatisfy { $0.address != address })
        #expect(try Self.retiring(node).contains { $0.tasks.contains { $0.address == address } })
    }

    /// Another node, which knows nothing of the connections, has given the address to a balancer.
    @Test func whoeverHasTheAddressByAFileHasIt() async throws {
        let (node, address) = try await Self.node()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        var spec = try await node.specs.load()
        spec.nodes["node3"] = MeshNode(address: "192.168.5.3", number: 3, gatewaySubnets: ["172.30.0.0/16"])
        let ingress = try #require(spec.networks[MeshNetwork.ingress])
        let second = try spec.takeAddress(in: ingress.subnets[1], of: MeshNetwork.ingress)
        spec.networks[MeshNetwork.ingress]!.balancers["node3"] = [address, second]
        _ = try await node.mesh().apply(MeshFile(yaml: spec.yaml, name: "mesh.yaml"))
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// A file does not take away what connections lead over, unless it is told to.
    @Test func aFileDoesNotTakeANodeAway() async throws {
        let (node, _) = try await Self.node()
        let own = try #require(try node.ledgers.load()).node
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        var spec = try await node.specs.load()
        spec.nodes[own] = nil
        for network in spec.networks.keys { spec.networks[network]!.balancers[own] = nil }
        let file = try MeshFile(yaml: spec.yaml, name: "mesh.yaml")
        await #expect(throws: InputError.self) { try await node.mesh().apply(file) }
        _ = try await node.mesh().apply(file, cutting: true)
        #expect(try await node.specs.load().nodes[own] == nil)
    }

    /// What an agent makes for the first container that is attached is an edit, which an older file must not undo.
    @Test func aNetworkThatAnAgentMakesIsAnEdit() async throws {
        let node = FakeNode()
        node.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        _ = try await node.mesh().publish([(Self.web, 80)], service: "nginx", force: true)
        let before = try await node.specs.load().meshGeneration
        var task = FoundTask("web1", services: ["nginx"])
        task.attachment = .init(namespace: "/run/netns/t1")
        _ = try await node.mesh().follow(retry: false, found: ["docker": [task]]) { _, _ in }
        #expect(try await node.specs.load().networks[MeshNetwork.ingress] != nil)
        #expect(try await node.specs.load().meshGeneration == before + 1)
    }
}
