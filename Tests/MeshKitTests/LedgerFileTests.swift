import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

@Suite struct LedgerFileTests {
    private static func published() -> Ledger {
        var ledger = Ledger(node: "node1", id: "00112233445566aa")
        ledger.home = NamespaceIdentity(
            bootID: "5d9ba4a6-0c1c-4c8f-8d3c-2d9a1a1c1d3e", inode: 4_026_531_840, cookie: .max)
        ledger[.node].marks = [
            0x100: OwnedMark(
                binding: PortBinding(1080, .tcp),
                destinations: [.init("10.0.0.2", port: 80), .init("fd00::2", port: 80)])
        ]
        ledger[.node].rules = .nftables
        ledger[.node].settings = [.ipv4Forwarding: OriginalSetting(found: "0", written: "1")]
        return ledger
    }

    @Test func noLedgerIsThereAtFirst() throws {
        try TemporaryDirectory.with { directory in
            let empty = try LedgerFile(directory: directory).load()
            let absent = try LedgerFile(directory: directory.appending("not/there")).load()
            #expect(empty == nil && absent == nil)
        }
    }

    /// The document is read by later versions: its shape is not to change by accident.
    @Test func theDocument() throws {
        try TemporaryDirectory.with { directory in
            let file = LedgerFile(directory: directory.appending("state"))
            try file.save(Self.published(), replacing: 0)
            #expect(
                try file.file.text() == """
                    {
                      "generation" : 1,
                      "home" : {
                        "bootID" : "5d9ba4a6-0c1c-4c8f-8d3c-2d9a1a1c1d3e",
                        "cookie" : 18446744073709551615,
                        "inode" : 4026531840
                      },
                      "id" : "00112233445566aa",
                      "node" : "node1",
                      "places" : {
                        "node" : {
                          "marks" : [
                            "256 1080/tcp 10.0.0.2:80 [fd00::2]:80"
                          ],
                          "rules" : "nftables",
                          "settings" : {
                            "net/ipv4/ip_forward" : {
                              "found" : "0",
                              "written" : "1"
                            }
                          }
                        }
                      },
                      "schema" : 1
                    }

                    """)
            #expect(
                AtomicDocument<Ledger>(file.file).generationOfWholeDocument() == 1, "known without reading all of it")
        }
    }

    @Test func everythingThatCanBeHeld() throws {
        try TemporaryDirectory.with { directory in
            var ledger = Self.published()
            ledger[.node].formerRules = .iptables
            ledger[.node].originalTCPTimeoutSeconds = 900
            ledger[.node].reservedPorts = [1000...1010, 8080...8080]
            ledger[.node].hairpinPorts = ["veth1", "veth0"]
            ledger[.node].staleFlows = [PortBinding(53, .udp), PortBinding(1000...1010, .udp, at: "fd00::1")]
            ledger[.node].marks[0x101] = OwnedMark(binding: nil)
            ledger[.node].retiring = [
                RetiringPath(
                    mark: 0x102, binding: PortBinding(1081, .tcp), destinations: [.init("10.0.0.3", port: 80)],
                    since: BootTime(nanoseconds: 17)),
                RetiringPath(
                    mark: 0x103, binding: PortBinding(1082, .tcp, at: "fd00::1"), destinations: [],
                    since: BootTime(nanoseconds: 18), until: BootTime(nanoseconds: .max)),
            ]
            ledger[.sandbox].marks[0x104] = OwnedMark(binding: PortBinding(1083, .udp))
            ledger[.sandbox].retiring = [
                RetiringPath(
                    mark: 0x104, binding: PortBinding(1083, .udp), destinations: [.init("10.255.0.4", port: 80)],
                    tasks: [
                        SpecTask(
                            address: "10.255.0.4", weight: 2, node: "node1",
                            attachment: TaskAttachment(
                                namespace: "/run/netns/web", inode: 7,
                                addresses: ["ingress": ["10.255.0.4", "fd25::4"]], gatewayAddresses: ["172.18.0.2"],
                                defaultAddresses: ["fd00::9"]))
                    ], since: BootTime(nanoseconds: 19))
            ]
            let helper = PlaceID(rawValue: "loopback")
            ledger[helper].namespace = "meshctl-lo-1"
            ledger[helper].links = ["eth0"]
            ledger[helper].refusal = "\"no\"\n"
            let file = LedgerFile(directory: directory)
            try file.save(ledger, replacing: 0)
            ledger.generation = 1
            #expect(try file.load() == ledger)
            ledger.home = nil
            ledger.places = [:]
            try file.save(ledger, replacing: 1)
            ledger.generation = 2
            #expect(try file.load() == ledger)
        }
    }

    @Test func aLedgerOfAnotherGenerationIsNotReplaced() throws {
        try TemporaryDirectory.with { directory in
            let file = LedgerFile(directory: directory)
            try file.save(Self.published(), replacing: 0)
            for generation: UInt64 in [0, 2, .max] {
                let error = #expect(throws: StoreError.self) {
                    try file.save(Ledger(node: "other"), replacing: generation)
                }
                #expect(error?.code == .conflict)
            }
            // Whoever edits the document may write it in another order.
            let text = try file.file.text()
            try file.file.write(
                text.replacing("\"generation\" : 1,", with: "").dropLast("}\n".count) + ", \"generation\": 1}\n")
            #expect(throws: StoreError.self) { try file.save(Ledger(node: "other"), replacing: 0) }
            try file.save(Ledger(node: "other"), replacing: 1)
            #expect(try file.load()?.node == "other")
        }
    }

    @Test func aTruncatedLedgerIsRefusedAndKept() async throws {
        try await TemporaryDirectory.with { directory in
            let file = LedgerFile(directory: directory)
            try file.save(Self.published(), replacing: 0)
            try await DocumentFaults.expectTruncatedIsKept(
                file.file, load: { _ = try file.load() },
                // What would come next, were it whole.
                write: { try file.save(Ledger(node: "node1"), replacing: 1) })
        }
    }

    @Test(
        arguments: [
            ("[]", StoreError.Code.corrupt), ("", .corrupt), ("{\"schema\": 2}", .newerSchema),
            ("{\"schema\": 1}", .corrupt), ("{\"schema\": 0}", .corrupt),
            // Whole, in the order that we write, and with the generation that is to be replaced.
            (
                "{\n  \"generation\" : 1,\n  \"id\" : \"0011223344556677\",\n  \"node\" : \"a\",\n  \"places\" : {\n\n  },\n  \"schema\" : 2\n}\n",
                .newerSchema
            ),
            (#"{"generation":1,"id":"short","node":"a","places":{},"schema":1}"#, .corrupt),
            (#"{"generation":1,"id":"001122334455667G","node":"a","places":{},"schema":1}"#, .corrupt),
            (
                #"{"generation":1,"id":"0011223344556677","node":"a","places":{"node":{"marks":["256 80"]}},"schema":1}"#,
                .corrupt
            ),
        ])
    func whatIsNoLedgerIsRefusedAndKept(text: String, code: StoreError.Code) async throws {
        try await TemporaryDirectory.with { directory in
            let file = LedgerFile(directory: directory)
            try file.file.write(text)
            try await DocumentFaults.expectIsKept(
                file.file, code, load: { _ = try file.load() },
                write: { try file.save(Ledger(node: "node1"), replacing: 1) })
        }
    }
}
