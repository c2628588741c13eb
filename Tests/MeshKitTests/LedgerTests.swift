import FoundationEssentials
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct LedgerTests {
    @Test func aPlaceInWhichNothingIsHeldHasNoEntry() {
        var ledger = Ledger(node: "node1")
        #expect(ledger[.node] == Holdings() && ledger[.node].isEmpty)
        ledger[.node].links = ["veth1"]
        #expect(ledger.places[.node]?.links == ["veth1"])
        ledger[.node].links = []
        #expect(ledger.places.isEmpty)
    }

    @Test func anIDIs16HexadecimalDigitsAndNoOtherLedgers() {
        let ids = (0..<1000).map { _ in Ledger.randomID() }
        #expect(Set(ids).count == ids.count)
        #expect(ids.allSatisfy { $0.utf8.count == 16 && $0.allSatisfy { $0.isHexDigit && !$0.isUppercase } })
    }

    @Test func timeSinceBootGoesForward() throws {
        let (first, second) = (BootTime.now(), BootTime.now())
        #expect(first <= second && first.nanoseconds > 0)
        #expect(BootTime(nanoseconds: 1) < BootTime(nanoseconds: 2))
    }

    @Test(
        arguments: [
            (
                "1080/tcp 10.0.0.2:80 [fd00::2]:80",
                OwnedMark(
                    binding: PortBinding(1080, .tcp),
                    destinations: [.init("10.0.0.2", port: 80), .init("fd00::2", port: 80)])
            ),
            (
                "1000-1010/udp 10.0.0.2:0",
                OwnedMark(
                    binding: PortBinding(1000...1010, .udp), destinations: [.init("10.0.0.2", port: 0)])
            ),
            ("192.168.5.1:1080/sctp", OwnedMark(binding: PortBinding(1080, .sctp, at: "192.168.5.1"))),
            ("[fd00::1]:1-65535/tcp", OwnedMark(binding: PortBinding(1...65535, .tcp, at: "fd00::1"))),
            ("-", OwnedMark(binding: nil)),
            ("- 10.0.0.2:80", OwnedMark(binding: nil, destinations: [.init("10.0.0.2", port: 80)])),
        ] as [(String, OwnedMark)])
    func aMarkIsALineOfText(text: String, mark: OwnedMark) {
        #expect(mark.description == text)
        #expect(OwnedMark(text) == mark)
    }

    @Test(arguments: [
        "", " ", "1080", "1080/", "/tcp", "1080/47", "1080/icmp", "0/tcp", "65536/tcp", "+80/tcp", "80-/tcp", "-80/tcp",
        "80-80/tcp", "81-80/tcp", "80-81-82/tcp", "0-5/tcp", ":80/tcp", "10.0.0:80/tcp", "fd00::1:80/tcp",
        "[10.0.0.1]:80/tcp",
        "[fd00::1:80/tcp", "fd00::1]:80/tcp", "[]:80/tcp", "[:80/tcp", "node1:80/tcp", "1080/tcp ", " 1080/tcp",
        "1080/tcp  10.0.0.2:80",
        "1080/tcp 10.0.0.2", "1080/tcp 10.0.0.2:", "1080/tcp fd00::2:80", "1080/tcp 10.0.0.2:80 10.0.0.2:80",
        "1080/tcp\n10.0.0.2:80", "1080/tcp - ", "--", "10.0.0.2:80", "1080/tcp 1081/tcp",
    ])
    func whatIsNoMarkIsRefused(text: String) {
        let parsed: OwnedMark? = .init(text)
        #expect(parsed == nil)
    }

    /// The refusal says what is wrong and where.
    @Test(
        arguments: [
            (#""marks": ["256 1080/tcp 10.0.0.2"]"#, #""256 1080/tcp 10.0.0.2""#),
            (#""marks": ["0 1080/tcp"]"#, #""0 1080/tcp""#), (#""marks": ["0x100 1080/tcp"]"#, #""0x100 1080/tcp""#),
            (#""marks": ["256"]"#, #""256""#), (#""marks": ["256 1080/tcp", "0256 1081/tcp"]"#, "256 is there twice"),
            (#""staleFlows": ["53"]"#, #""53""#), (#""reservedPorts": ["9-8"]"#, #""9-8""#),
            (
                #""retiring": [{"mark": 256, "path": "- 10.0.0.2:80", "since": 1}]"#, #""- 10.0.0.2:80""#
            ),
            (#""retiring": [{"mark": 0, "path": "1080/tcp 10.0.0.2:80", "since": 1}]"#, "mark"),
            (#""rules": "ipchains""#, "ipchains"),
        ])
    func whatIsNoHoldingIsRefused(fields: String, named: String) throws {
        let error = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Holdings.self, from: Data("{\(fields)}".utf8))
        }
        #expect(
            "\(String(describing: error))".replacing("\\\"", with: "\"").contains(named), "\(String(describing: error))"
        )
    }
}
