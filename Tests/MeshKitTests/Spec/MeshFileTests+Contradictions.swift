import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Files that do not fit what they do not name.
extension MeshFileTests {
    @Test(
        arguments: [
            (
                "networks:\n  ingress: {subnets: [10.77.0.0/16]}", false, "2:22",
                "task 10.255.0.6 of service web has 10.255.0.6 on network ingress, which is not in 10.77.0.0/16"
            ),
            (
                "networks:\n  back: {subnets: [10.0.5.0/24]}", false, "2:19",
                "service web has 10.0.1.4 on network back, which is not in 10.0.5.0/24"
            ),
            (
                "networks:\n  back: {subnets: [10.0.1.0/24, 'fd00:1::/64']}", false, "2:33",
                "service web has no address of fd00:1::/64 on network back"
            ),
            (
                "nodes:\n  node1: {gateway: [172.20.0.0/16]}", false, "2:20",
                "172.18.0.2 is not for tasks on the gateway bridge of node node1"
            ),
            ("nodes:\n  node1:", true, "2:3", "10.255.0.6 of service web is on node node2, and there is no such node"),
            ("networks:\n  ingress:", true, "2:3", "service web is on network back, and there is no such network"),
            (
                "networks:\n  new: {subnets: [192.168.5.0/24]}", false, "2:19",
                "192.168.5.0/24 has the address 192.168.5.1 of node node1"
            ),
            (
                "networks:\n  new: {subnets: [10.9.0.0/24]}", false, "2:19",
                "10.9.0.0/24 has the address 10.9.0.9 of a task of service 123, which the host's routes reach"
            ),
            (
                "nodes:\n  node3: {address: 172.18.4.4}", false, "2:20",
                "172.18.4.4 is in 172.18.0.0/16 of the gateway bridge of node node1"
            ),
            (
                "nodes:\n  node1: {gateway: [192.168.5.0/24]}", false, "2:21",
                "192.168.5.0/24 has the address 192.168.5.2 of node node2"
            ),
            (
                "networks:\n  ingress: {port: 1005}", false, "2:19",
                "UDP port 1005 of network ingress is published as 192.168.5.1:1000-1009/udp by service web"
            ),
            (
                "nodes:\n  node1: {address: 'fd05::1'}", false, "2:3",
                "192.168.5.2 is an IPv4 address, and node node1 is at fd05::1"
            ),
        ])
    func aFileThatDoesNotFitTheRestIsRefused(yaml: String, prunes: Bool, place: String, words: String) throws {
        var context = Self.context
        context.prunes = prunes
        let error = #expect(throws: InputError.self) {
            try Self.whole().applying(try Self.file(yaml), in: context)
        }
        let lines = error?.faults ?? []
        #expect(
            lines.contains { $0.hasPrefix("mesh.yaml:\(place): ") && $0.contains(words) },
            "\(String(describing: error)) for\n\(yaml)")
    }

    /// Only a file of the whole mesh says that there is no other.
    @Test func aGatewaySubnetOfTheFileIsNotTheOnlyOne() throws {
        let text = "nodes: {node2: {gateway: [172.29.0.0/16]}, node3: {gateway: ['fd00:9::/64']}}"
        let nodes = try MeshSpec().applying(try Self.file(text), in: Self.context).nodes
        #expect(nodes["node2"]?.gatewaySubnets == ["172.29.0.0/16", "fd18:6d65:7368::/64"])
        #expect(nodes["node3"]?.gatewaySubnets == ["172.18.0.0/16", "fd00:9::/64"])
        let whole = try MeshSpec().applying(try Self.file(Self.whole().yaml), in: Self.context)
        #expect(whole.nodes["node2"]?.gatewaySubnets == ["172.30.0.0/24"])
        let same = try whole.applying(try Self.file("nodes: {node2: {gateway: [172.30.0.0/24]}}"), in: Self.context)
        #expect(same == whole)
    }

    @Test func aNetworkKeepsClearOfThePortsOfTheFile() throws {
        let file = try Self.file("networks: {back: }\nservices: {dns: {ports: [4780-4789:4780/udp]}}")
        #expect(try MeshSpec().applying(file, in: Self.context).networks["back"]?.port == 4790)
    }

    /// Which `meshctl export` of another node cannot know.
    @Test func numbersThatAnotherVXLANInterfaceHasAreRefusedWhereTheyAreNew() throws {
        let spec = try Self.whole()
        let file = try Self.file(spec.yaml)
        var context = Self.context
        context.host.tunnels = [.init(4096), .init(77, port: 4789), .init(9, port: 4790)]
        let error = #expect(throws: InputError.self) { try MeshSpec().applying(file, in: context) }
        #expect(
            error?.description
                == "mesh.yaml:24:11: another VXLAN interface of this host has the VNI 4096 on UDP port 4789: give "
                + "network ingress another port on all nodes, such as 4791")
        #expect(try spec.applying(file, in: context) == spec, "it has them already")
        let moved = try Self.file(spec.yaml.replacing("vni: 4096\n    port: 4789", with: "vni: 4096\n    port: 4791"))
        #expect(try MeshSpec().applying(moved, in: context).networks["ingress"]?.port == 4791)
        let back = try Self.file("networks:\n  true: {port: 4789}")
        let again = #expect(throws: InputError.self) { try spec.applying(back, in: context) }
        #expect(again?.description.hasPrefix("mesh.yaml:2:16: ") == true, "\(String(describing: again))")
        // Each conflict is named.
        context.host.prefixes = ["10.0.0.0/16": "eth0"]
        let all = #expect(throws: InputError.self) { try MeshSpec().applying(file, in: context) }
        #expect(all?.faults.count == 3)
    }

    /// A mesh that has a fault stays one that can be edited, and what it is exported as can be applied to it.
    @Test func aFaultThatTheMeshHasIsNotTheFiles() throws {
        var spec = try Self.whole()
        spec.networks["back"]!.subnets = ["10.0.5.0/24"]
        #expect(!SpecCheck.faults(of: spec).isEmpty)
        #expect(try spec.applying(try Self.file(spec.yaml), in: Self.context) == spec)
        let edited = try spec.applying(try Self.file("services: {web: {scheduler: lc}}"), in: Self.context)
        #expect(edited.services["web"]?.scheduler == .leastConnection)
        #expect(throws: InputError.self) {
            try MeshSpec().applying(try Self.file(spec.yaml), in: Self.context)
        }
    }
}
