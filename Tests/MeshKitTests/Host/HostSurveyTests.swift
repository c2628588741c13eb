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
