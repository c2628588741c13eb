import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Addresses that others changed are put right by one pass, with the routes that the kernel takes away meanwhile.
@Suite struct AddressRepairTests {
    private static let task = "/run/netns/t1"
    private static let own = InterfacePrefix("172.18.0.2", length: 16)

    private static func node() async throws -> (FakeNode, Mesh) {
        let node = FakeNode()
        node.kernel.withState { $0.addTask(task, inode: 7) }
        let mesh = node.mesh(named: "a")
        _ = try await mesh.attach(task, service: "web")
        node.gate.begin()
        return (node, mesh)
    }

    /// Gives the task's interface to the gateway bridge other addresses of IPv4, and the routes that they bring. Its
    /// default route is there.
    private static func damage(_ node: FakeNode, _ addresses: [InterfacePrefix]) {
        node.kernel.withState { state in
            var there = state.namespaces[task]!.interfaces["meshgw"]!
            there.addresses = there.addresses.filter { $0.address.family == .ipv6 }.union(addresses)
            there.routes = there.routes.filter { $0.destination.family == .ipv6 || $0.gateway != nil }
            for (index, address) in addresses.enumerated() {
                if addresses[..<index].contains(where: { $0.network == address.network }) {
                    there.secondaryAddresses.insert(address)
                } else {
                    there.routes.insert(Route(to: address.network, source: address.address))
                }
            }
            state.namespaces[task]!.interfaces["meshgw"] = there
        }
    }

    private static let damages: [[InterfacePrefix]] = [
        // The address is replaced: by one of its network, by one of another, by both, and with another length.
        [InterfacePrefix("172.18.0.77", length: 16)], [InterfacePrefix("10.9.9.9", length: 24)],
        [InterfacePrefix("172.18.0.77", length: 16), InterfacePrefix("10.9.9.9", length: 24)],
        [InterfacePrefix("172.18.0.2", length: 24)],
        // Another one came before it, in its network, or after it.
        [InterfacePrefix("172.18.0.77", length: 16), own], [own, InterfacePrefix("172.18.0.77", length: 16)],
        // Two others came before it.
        [InterfacePrefix("172.18.0.77", length: 16), InterfacePrefix("172.18.0.78", length: 16), own],
        [InterfacePrefix("172.18.0.78", length: 16), InterfacePrefix("172.18.0.77", length: 16)],
    ]

    @Test(arguments: damages) func onePassIsEnough(addresses: [InterfacePrefix]) async throws {
        let (node, mesh) = try await Self.node()
        let before = try await node.kernelText()
        Self.damage(node, addresses)
        #expect(try await !mesh.plan().isEmpty)
        _ = try await mesh.reconcile()
        let after = try await node.kernelText()
        #expect(after == before, "\(after.difference(from: before))")
        #expect(try await mesh.plan().isEmpty)
    }

    /// Where the kernel allows it, the interface is never without an address, and keeps its routes.
    @Test func anAddressIsAddedBeforeAnotherGoes() async throws {
        let (node, mesh) = try await Self.node()
        Self.damage(node, [InterfacePrefix("10.9.9.9", length: 24)])
        node.gate.begin()
        _ = try await mesh.reconcile()
        #expect(
            node.gate.operations.filter { $0.contains("meshgw") } == [
                "give meshgw the address 172.18.0.2/16", "take the address 10.9.9.9/24 from meshgw",
            ])
    }

    /// An IPv6 address is there once, whatever its length.
    @Test func anIPv6AddressOfAnotherLengthIsReplaced() async throws {
        let (node, mesh) = try await Self.node()
        let before = try await node.kernelText()
        node.kernel.withState { state in
            var there = state.namespaces[Self.task]!.interfaces["meshgw"]!
            let own = there.addresses.first { $0.address.family == .ipv6 }!
            there.addresses.remove(own)
            there.addresses.insert(InterfacePrefix(own.address, length: 128))
            state.namespaces[Self.task]!.interfaces["meshgw"] = there
        }
        _ = try await mesh.reconcile()
        let after = try await node.kernelText()
        #expect(after == before, "\(after.difference(from: before))")
        #expect(try await mesh.plan().isEmpty)
    }

    /// A route of the mesh's is its own on every end of its links, also where the end asks for no route in particular.
    @Test func aRouteOfTheMeshThatNobodyNeedsIsRemoved() async throws {
        let (node, mesh) = try await Self.node()
        let former = Route(to: "10.98.0.0/16", via: "172.18.0.2")
        let foreign = Route(to: "10.97.0.0/16", via: "172.18.0.2")
        node.kernel.withState { state in
            state.namespaces["node"]!.interfaces["mesh_gwbridge"]!.routes.formUnion([former, foreign])
            state.namespaces["node"]!.interfaces["mesh_gwbridge"]!.ours.insert(former)
        }
        let plan = try await mesh.plan()
        #expect(
            plan.steps.flatMap(\.reasons) == [
                "mesh_gwbridge has the route 10.98.0.0/16 via 172.18.0.2, which is not needed"
            ])
        _ = try await mesh.reconcile()
        let routes = node.kernel.withState { $0.namespaces["node"]!.interfaces["mesh_gwbridge"]!.routes }
        #expect(!routes.contains(former) && routes.contains(foreign))
        #expect(try await mesh.plan().isEmpty)
    }
}
