import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Interfaces on a network are told apart by the last four bytes of their first addresses.
@Suite struct MeshSpecInterfacesTests {
    /// Two nodes, and `ingress` with these subnets.
    private static func spec(_ subnets: IPPrefix...) throws -> MeshSpec {
        var spec = MeshSpec()
        for node in ["a", "b"] { try spec.addNode(node) }
        try spec.createNetwork("ingress", subnets: subnets)
        return spec
    }

    private static func request(_ name: String, at address: IPAddress? = nil) -> TaskAttachmentRequest {
        TaskAttachmentRequest(namespace: "/run/netns/\(name)", node: "a", address: address)
    }

    @Test func noTwoEndAlike() throws {
        var spec = try Self.spec("fd64::/64")
        try spec.attach(Self.request("t1", at: "fd64::5"), service: "web")
        for (address, other): (IPAddress, String) in [
            ("fd64::1:0:5", "fd64::5"), ("fd64::1:0:1", "fd64::1"), ("fd64::7:0:2", "fd64::2"),
        ] {
            expectRefusal(spec, "\(address) ends in the same four bytes as \(other)", "another address of fd64::/64") {
                try $0.attach(Self.request("t2", at: address), service: "web")
            }
        }
        // What is given passes over those that end as others do.
        try spec.attach(Self.request("t2", at: "fd64::1:0:4"), service: "web")
        #expect(try spec.attach(Self.request("t3"), service: "web").address == "fd64::6")
        try spec.addNode("c")
        #expect(spec.networks["ingress"]?.balancers["c"] == ["fd64::7"])
        #expect(SpecCheck.faults(of: spec).isEmpty)
        // So do those of tasks that have left and still have connections.
        spec.leaving = try spec.detach(.address("fd64::1:0:4"), service: "web")
        #expect(spec.leaving.count == 1)
        #expect(try spec.attach(Self.request("t4"), service: "web").address == "fd64::8")
    }

    /// With an IPv4 subnet, the first addresses are of IPv4. So are all addresses of a small subnet.
    @Test func whereTheyCannotEndAlike() throws {
        var spec = try Self.spec("10.255.0.0/16", "fd64::/64")
        try spec.attach(Self.request("t1", at: "fd64::5"), service: "web")
        try spec.attach(Self.request("t2", at: "fd64::1:0:5"), service: "web")
        #expect(SpecCheck.faults(of: spec).isEmpty)
        var small = try Self.spec("fd64::/96")
        for name in ["t1", "t2"] { try small.attach(Self.request(name), service: "web") }
        #expect(small.services["web"]?.tasks.map(\.address) == ["fd64::4", "fd64::5"])
        #expect(SpecCheck.faults(of: small).isEmpty)
    }

    @Test func aSpecInWhichTheyDo() throws {
        var spec = try Self.spec("fd64::/64")
        try spec.attach(Self.request("t1", at: "fd64::5"), service: "web")
        try spec.attach(Self.request("t2", at: "fd64::6"), service: "web")
        spec.services["web"]!.tasks[1].address = "fd64::1:0:5"
        spec.services["web"]!.tasks[1].attachment!.addresses["ingress"] = ["fd64::1:0:5"]
        let path = SpecPath.task("fd64::1:0:5", of: "web")("attachment", "networks", "ingress", "fd64::1:0:5")
        let words =
            "fd64::1:0:5 ends in the same four bytes as fd64::5 of task fd64::5 of service web, and interfaces on "
            + "network ingress are told apart by these"
        let faults = SpecCheck.faults(of: spec)
        #expect(faults.count == 1 && faults[0].sites[0] == SpecFault.Site(path: path, words: words), "\(faults)")
        spec.services["web"]!.tasks.removeLast()
        // An address of IPv6 on a gateway bridge can end as one of IPv4 is.
        spec.services["web"]!.tasks[0].attachment!.gatewayAddresses = ["fd18:6d65:7368::ac12:1"]
        let bridge = SpecCheck.faults(of: spec).flatMap(\.sites).map(\.words)
        #expect(
            bridge.contains {
                $0.contains("fd18:6d65:7368::ac12:1 ends in the same four bytes as 172.18.0.1 of the bridge")
            })
    }
}
