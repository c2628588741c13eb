import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The strict check of reverse paths.
extension HostSettingsTests {
    private static func answering(
        from address: IPAddress?, _ settings: HostSettings, isElsewhere: Bool = false, to allowed: [IPPrefix] = []
    ) async -> [String] {
        await settings.warnings(answeringFrom: address, isElsewhere: isElsewhere, to: allowed, on: node)
    }

    /// Answers to hosts beyond the networks of the node leave by up1, except those from 192.168.5.1 where a rule says so.
    private static func strict(_ value: String = "1", withRule: Bool = false, leadsOut: Bool = true) -> HostSettings {
        var settings = Self.settings([.reversePathFilter("all"): "0", .reversePathFilter("up0"): value]) { packet in
            guard packet.destination == "192.0.2.1" || packet.destination == "203.0.113.1" else { return nil }
            return .leaves(by: withRule && packet.source == "192.168.5.1" ? "up0" : "up1")
        }
        settings.leadOut = { $0.map { leadsOut && $0 == "up0" } }
        return settings
    }

    /// The address from which the node answers decides with the rules of `ip rule`; for the sandbox it is the sandbox's.
    @Test func reversePathsByRule() async {
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(withRule: true)) == [])
        #expect(await Self.answering(from: nil, Self.strict(withRule: true)) == [])
        #expect(await Self.answering(from: "192.168.5.1", Self.strict("2")) == [])
        let lines = [
            "hosts beyond the network of up0 cannot reach 192.168.5.1: this node would answer them by up1, and "
                + "net/ipv4/conf/up0/rp_filter is 1", "  type:  sysctl -w net/ipv4/conf/up0/rp_filter=2",
        ]
        #expect(await Self.answering(from: "192.168.5.1", Self.strict()) == lines)
        #expect(await Self.answering(from: nil, Self.strict()) == lines)
        #expect(await Self.answering(from: nil, Self.strict(withRule: true), isElsewhere: true) == lines)
        // Where no default route leads out, nobody is expected beyond the network, unless the address was chosen.
        #expect(await Self.answering(from: nil, Self.strict(leadsOut: false)) == [])
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(leadsOut: false)) == lines)
    }

    /// Those who may come count, and an interface behind which nobody is does not.
    @Test func reversePathsOfThoseWhoMayCome() async {
        let (near, far) = (IPPrefix("192.168.5.0", length: 24), IPPrefix("203.0.113.0", length: 24))
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(), to: [near]) == [])
        #expect(
            await Self.answering(from: "192.168.5.1", Self.strict(), to: [near, far]).first?
                .hasPrefix("hosts beyond the network of up0") == true)
        #expect(
            await Self.answering(from: "192.168.5.1", Self.strict(), to: [far, IPPrefix("198.51.100.0", length: 24)])
                .first?.hasPrefix("some hosts beyond the network of up0") == true)
        var settings = Self.strict()
        settings.links = { $0.map { _ in HostLink(hasHosts: false) } }
        #expect(await Self.answering(from: "192.168.5.1", settings) == [])
        settings.links = { $0.map { _ in HostLink(vrf: "vrf1") } }
        #expect(await Self.answering(from: "192.168.5.1", settings) == [])
    }
}
