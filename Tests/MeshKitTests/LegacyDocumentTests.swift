import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// Documents of the layouts 1 and 2, as those versions wrote them, become a spec and a ledger.
@Suite struct LegacyDocumentTests {
    private static let second = #"""
        {
          "formerRules" : "iptables",
          "generation" : 5,
          "hairpinPorts" : ["veth1"],
          "originalSysctls" : {
            "net/ipv4/conf/all/accept_redirects" : "1",
            "net/ipv4/ip_forward" : "0",
            "net/ipv4/vs/conntrack" : "0",
            "net/ipv6/conf/eth0/accept_ra" : "1"
          },
          "originalTCPTimeoutSeconds" : 900,
          "reservedPorts" : [[1000, 1010]],
          "retiringMarks" : [300],
          "rules" : "nftables",
          "schema" : 2,
          "services" : {
            "nginx" : {
              "ports" : [
                {"mark" : 256, "port" : 1080, "target" : 80, "transport" : "tcp"},
                {"address" : "fd00::1", "lastPort" : 1010, "mark" : 257, "port" : 1000, "target" : 1000, "transport" : "udp"}
              ],
              "scheduler" : "wlc",
              "tasks" : [
                {"address" : "10.0.0.2", "local" : false, "weight" : 3},
                {"address" : "fd00::2", "local" : true, "weight" : 1}
              ]
            }
          },
          "staleFlows" : [{"transport" : "udp", "ports" : [53, 53]}]
        }
        """# + "\n"

    private static let spec: MeshSpec = {
        var spec = MeshSpec()
        spec.generation = 5
        var service = MeshSpec.Service()
        service.scheduler = .weightedLeastConnection
        service.ports = [
            PublishedPort(listening: PortBinding(1080, .tcp), target: 80, mark: 0x100),
            PublishedPort(listening: PortBinding(1000...1010, .udp, at: "fd00::1"), target: 1000, mark: 0x101),
        ]
        service.tasks = [SpecTask(address: "10.0.0.2", weight: 3), SpecTask(address: "fd00::2", node: "node1")]
        spec.services = ["nginx": service]
        return spec
    }()

    private static func ledger(id: String) -> Ledger {
        var ledger = Ledger(node: "node1", id: id)
        ledger[.node].marks = [
            0x100: OwnedMark(
                binding: PortBinding(1080, .tcp),
                destinations: [.init("10.0.0.2", port: 80), .init("fd00::2", port: 80)]),
            0x101: OwnedMark(
                binding: PortBinding(1000...1010, .udp, at: "fd00::1"), destinations: [.init("fd00::2", port: 0)]),
            300: OwnedMark(binding: nil),
        ]
        ledger[.node].rules = .nftables
        ledger[.node].formerRules = .iptables
        ledger[.node].settings = [
            .ipv4Forwarding: OriginalSetting(found: "0", written: "1"),
            .acceptRedirects: OriginalSetting(found: "1", written: "0"),
            .ipvsConntrack: OriginalSetting(found: "0", written: "1"),
            .acceptRouterAdvertisements("eth0"): OriginalSetting(found: "1", written: "2"),
        ]
        ledger[.node].originalTCPTimeoutSeconds = 900
        ledger[.node].reservedPorts = [1000...1010]
        ledger[.node].hairpinPorts = ["veth1"]
        ledger[.node].staleFlows = [PortBinding(53, .udp)]
        ledger[PlaceID(rawValue: "loopback")].links = ["meshctl-lo"]
        return ledger
    }

    private static func with(
        _ text: String, _ body: (FileSpecStore, LedgerFile) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory, node: "node1")
            try store.file.write(text)
            try await body(store, LedgerFile(directory: directory, node: "node1"))
        }
    }

    @Test func theSecondLayoutBecomesASpecAndALedger() async throws {
        try await Self.with(Self.second) { store, file in
            #expect(try await store.load() == Self.spec)
            let ledger = try #require(try file.load())
            #expect(ledger == Self.ledger(id: ledger.id))
            #expect(try store.file.text() == Self.second, "to read is not to write")
        }
    }

    /// What the first layout does not say is as it was then: rules by iptables, if any; each port for everybody.
    @Test func theFirstLayoutBecomesASpecAndALedger() async throws {
        let first = #"""
            {"schema":1,"generation":7,"retiringMarks":[],"originalSysctls":{},"services":{"nginx":{"scheduler":"rr",
            "tasks":[],"ports":[{"port":1080,"target":80,"transport":"tcp","mark":256}]}}}
            """#
        try await Self.with(first) { store, file in
            let spec = try await store.load()
            #expect(spec.generation == 7)
            #expect(
                spec.services["nginx"]?.ports
                    == [PublishedPort(listening: PortBinding(1080, .tcp), target: 80, mark: 0x100)])
            #expect(try file.load()?[.node].rules == .iptables)
        }
        try await Self.with(#"{"schema":1,"generation":7,"retiringMarks":[],"originalSysctls":{},"services":{}}"#) {
            _, file in
            let ledger = try file.load()
            #expect(ledger?.places == [:])
        }
    }

    @Test func aRefusedDetourStaysRefused() async throws {
        try await Self.with(Self.second.replacing("\"reservedPorts\"", with: "\"loopback\" : false, \"reservedPorts\""))
        {
            _, file in
            let ledger = try file.load()
            var refused = Holdings()
            refused.refusal = "recorded by an earlier version"
            #expect(ledger?[PlaceID(rawValue: "loopback")] == refused)
        }
    }

    /// Whoever replaces the older document, the ledger is written first.
    @Test func theFirstSpecLeavesTheLedgerBehind() async throws {
        try await Self.with(Self.second) { store, file in
            try await store.update { try $0.removeService("nginx") }
            let ledger = try #require(try file.load())
            var expected = Self.ledger(id: ledger.id)
            expected.generation = 1
            #expect(ledger == expected)
            #expect(try file.load()?.id == ledger.id)
            #expect(try await store.load().generation == 6)
        }
    }

    /// A backup of an older document, put into the folder of a newer version: its spec counts, and names this node as the
    /// ledger does; what it says of the kernel does not count.
    @Test func besideALedgerTheOwnershipIsIgnored() async throws {
        try await Self.with(Self.second) { store, file in
            var ledger = Ledger(node: "renamed")
            ledger[.node].rules = .iptables
            try file.save(ledger, replacing: 0)
            ledger.generation = 1
            #expect(try file.load() == ledger)
            #expect(try await store.load().localAddresses(on: "renamed") == ["fd00::2"])
            try await store.update { try $0.removeService("nginx") }
            #expect(try file.load() == ledger)
        }
    }

    @Test func aConflictWritesNeither() async throws {
        try await Self.with(Self.second) { store, file in
            let error = await #expect(throws: StoreError.self) { try await store.swap(MeshSpec(), replacing: 4) }
            #expect(error?.code == .conflict)
            let kept = try store.file.text()
            #expect(kept == Self.second)
            #expect(access(file.file.string, F_OK) != 0)
        }
    }
}
