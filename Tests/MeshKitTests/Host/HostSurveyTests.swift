import IPVSKit
import Netlink
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// What cannot be read is said, and not taken for absent.
@Suite(.timeLimit(.minutes(1))) struct HostSurveyTests {
    @Test func aPortMayBeTakenIfTheSocketsCannotBeRead() async throws {
        let survey = HostSurvey(on: ObservedDatapath(), having: HostRules(nft: [], unread: []))
        let port = PublishedPort(listening: PortBinding(1080, .tcp), target: 80, mark: 0x100)
        let error = await #expect(throws: InputError.self) {
            try await survey.refuseConflicts(port, of: MeshSpec.Service()) { _, _ throws(Errno) in
                throw .tooManyOpenFiles
            }
        }
        #expect(
            error?.description.hasPrefix("1080/tcp may be taken: the sockets of this node cannot be read: ") == true)
        try await survey.refuseConflicts(port, of: MeshSpec.Service()) { _, _ throws(Errno) in [] }
    }

    /// Who makes a host a router says so, and what to do about it.
    @Test(arguments: [
        (Sysctl.ipv4Forwarding, "net.ipv4.ip_forward"), (Sysctl.ipv6Forwarding, "net.ipv6.conf.all.forwarding"),
    ])
    func aHostThatBecomesARouter(sysctl: Sysctl, name: String) async {
        let survey = HostSurvey(on: ObservedDatapath(), having: HostRules(nft: [], unread: []))
        func warnings(_ value: String) async -> [String] {
            let change = SysctlChange(sysctl: sysctl, old: nil, new: value)
            let step = Plan.Step(place: .node, phase: .settings, change: .sysctl(change))
            return await survey.warnings(after: Plan([step]))
        }
        #expect(
            await warnings("1") == [
                "meshctl has switched on \(name), and no firewall rule of this host limits it: the host now routes for "
                    + "everybody. Restrict the FORWARD chain if that is not wanted."
            ])
        #expect(await warnings("0") == [])
    }

    @Test func programsThatCannotBeListed() async {
        let mute = RouteClient(simulatingSocket: { _ in [] }, deadline: .milliseconds(20))
        let unread = await HostRules.programs(mute)
        #expect(unread.count == 1 && unread[0].hasPrefix("the programs of XDP and tc"), "\(unread)")
    }

    @Test func partsOfTablesThatCannotBeListed() async {
        let mute = NFTTables(NetfilterClient(simulatingSocket: { _ in [] }, deadline: .milliseconds(20)))
        await #expect(throws: NetlinkError.self) { try await mute.devices(of: "netdev t") }
        await #expect(throws: NetlinkError.self) { try await mute.extensions(of: "ip filter") }
    }
}
