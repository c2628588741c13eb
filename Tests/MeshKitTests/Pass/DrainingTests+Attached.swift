import FakeKernel
import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Attached tasks.
extension DrainingTests {
    /// A node with an attached task, whose port 1080 has a connection by another node.
    private static func attached() async throws -> (node: FakeNode, address: IPAddress) {
        let node = FakeNode()
        node.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        let attached = try await node.mesh().attach("/run/netns/t1", container: "web1", service: "nginx")
        _ = try await node.mesh().publish([(web, 80)], service: "nginx", force: true)
        let address = try #require(attached.tasks.first?.address)
        node.kernel.withState { $0.servedConnections["/run/netns/t1"] = [.init(address, port: 80): 1] }
        return (node, address)
    }

    /// The sandbox of the task's node knows the connections of its own clients only, and the task has all.
    @Test func connectionsByOtherNodesCount() async throws {
        let (node, address) = try await Self.attached()
        let interfaces = node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        #expect(change.change.plan.retiring.filter { $0.destination.address == address }.map(\.connections) == [1])
        #expect(node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) } == interfaces)
        #expect(try await node.mesh().plan().isEmpty)
        node.kernel.withState { $0.servedConnections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// Connections that could not be counted may go on.
    @Test func aPathStaysWhoseConnectionsCannotBeCounted() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        node.gate.hide("the connections to programs")
        node.kernel.withState { $0.servedConnections = [:] }
        let change = try await node.mesh().reconcile()
        let left = change.plan.retiring.filter { $0.destination.address == address }
        #expect(left.map(\.connections) == [nil])
        #expect(node.kernel.withState { !$0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        node.gate.hide(nil)
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
    }

    /// What a task has does not say by which port it came: connections by a port that goes on do not keep the one that left.
    @Test func connectionsByAnotherPortDoNotCount() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().publish([(PortBinding(2080, .tcp), 80)], service: "nginx", force: true)
        node.kernel.withState {
            $0.connections[RetiringDestination(.init(address, port: 80), of: .firewallMark(0x100, .ipv4))] = 1
        }
        _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        #expect(try await node.mesh().plan().retiring.map(\.connections).contains(1))
        node.kernel.withState { $0.connections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
    }

    /// The sandbox knows a port at an address of the node by its own address, and an operator does not.
    @Test func aPortAtAnAddressIsNamedAsItIsPublished() async throws {
        let (node, _) = try await Self.attached()
        let port = PortBinding(8443...8443, .tcp, at: "192.168.5.1")
        _ = try await node.mesh().publish([(port, 80)], service: "nginx", force: true)
        _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        let bindings = try await node.mesh().plan().retiring.map(\.binding)
        #expect(bindings.contains(port) && bindings.allSatisfy { $0.address != SandboxLink.addresses.place[0].address })
    }

    /// A file that is applied with --now cuts what it concerns.
    @Test func applyingCutsItsOwnServices() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().removeTask(Self.task, service: "nginx")
        let file = try MeshFile(yaml: "services: {other: {tasks: [10.0.0.13]}}", name: "mesh.yaml")
        _ = try await node.mesh().apply(file, cutting: true)
        #expect(try !Self.retiring(node).isEmpty)
        _ = try await node.mesh().apply(MeshFile(yaml: "services: {nginx: {}}", name: "mesh.yaml"), cutting: true)
        #expect(try Self.retiring(node).isEmpty)
    }

    /// A path that retires already keeps the interfaces of its task when that leaves, too.
    @Test(arguments: [true, false]) func aTaskMayLeaveAfterItsPath(drains: Bool) async throws {
        let (node, _) = try await Self.attached()
        let interfaces = node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) }
        if drains {
            _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        } else {
            _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        let steps = change.change.plan.steps
        #expect(steps.allSatisfy { $0.place != .task("/run/netns/t1") }, "\(steps)")
        #expect(node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) } == interfaces)
        #expect(try await node.mesh().plan().isEmpty)
        node.kernel.withState { $0.servedConnections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// The flows of the last task do not stay either, although the service has the other balancer then.
    @Test func flowsOfTheLastAttachedTaskEnd() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().publish([(Self.dns, 53)], service: "nginx", force: true)
        node.kernel.withState {
            $0.connections[RetiringDestination(.init(address, port: 53), of: .firewallMark(0x101, .ipv4))] = 2
        }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        let left = change.change.plan.retiring
        #expect(!left.isEmpty && left.allSatisfy { $0.binding == Self.web }, "\(left)")
        #expect(change.change.plan.steps.contains { $0.part == .flows })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// No connection goes on without the task's namespace.
    @Test func whatDrainsGoesWithItsNamespace() async throws {
        let (node, _) = try await Self.attached()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        #expect(try await !node.mesh().plan().retiring.isEmpty)
        node.kernel.withState { $0.removeTask("/run/netns/t1") }
        _ = try await node.mesh().reconcile()
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// A container that was started anew is another task, which nobody has told to drain.
    @Test func aNamespaceMadeAnewEndsTheDrain() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        #expect(try await node.specs.load().services["nginx"]?.tasks.map(\.isDraining) == [true])
        node.kernel.withState {
            $0.removeTask("/run/netns/t1")
            $0.addTask("/run/netns/t2", inode: 8)
        }
        let again = try await node.mesh().attach("/run/netns/t2", container: "web1", service: "nginx")
        #expect(again.tasks.map(\.address) == [address] && again.tasks.map(\.isDraining) == [false])
        #expect(try await node.mesh().plan().isEmpty)
    }
}
