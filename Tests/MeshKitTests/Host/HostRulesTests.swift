import IPVSKit
import Testing

@testable import MeshKit

@Suite struct HostRulesTests {
    /// Of another family it is not ours, though it has the name.
    @Test func onlyTheTableOfOurFamilyIsOurs() {
        let tables = ["ip", "inet", "ip6"].map { #"{"table": {"family": "\#($0)", "name": "meshctl"}}"# }
        let ruleset = NFTRuleset(#"{"nftables": [\#(tables.joined(separator: ", "))]}"#)
        #expect(ruleset?.tables.map(\.name) == ["ip meshctl", "ip6 meshctl"])
    }

    @Test(arguments: [
        ("{\"a\": [1, -2, true, false, null], \"b\": {}}", "ok"), ("[]", "ok"), ("", "no"), ("[1", "no"),
        ("[1,]", "no"),
        ("{\"a\" 1}", "no"), ("[1] x", "no"), ("\"a", "no"), ("\"\\u00e4\\n\\\"\"", "ok"), ("\"\\u12\"", "no"),
    ])
    func json(text: String, outcome: String) { #expect((JSONParser.parse(text) == nil ? "no" : "ok") == outcome) }

    @Test func jsonIsReadAsItIsWritten() {
        #expect(
            JSONParser.parse(#" {"a": [1, -2, "x\"\\\u00e4y"], "b": {"c": null, "d": true}} "#)
                == .object([
                    "a": .array([.number(1), .number(-2), .string("x\"\\äy")]),
                    "b": .object(["c": .null, "d": .bool(true)]),
                ]))
    }

    /// There is one for each published port, and nobody asks for them.
    @Test func countersAreLeftOut() {
        let ruleset = NFTRuleset(
            #"""
            {"nftables": [{"table": {"family": "ip", "name": "a", "handle": 1}},
            {"counter": {"family": "ip", "name": "x]\"}", "table": "a", "handle": 2, "packets": 0, "bytes": 0}},
            {"counter": {"family": "ip", "name": "y", "table": "a", "handle": 3, "packets": 0, "bytes": 0}},
            {"table": {"family": "ip", "name": "b", "handle": 1}}]}
            """#)
        #expect(ruleset?.tables.map(\.name) == ["ip a", "ip b"])
    }

    /// What the kernel keeps of iptables' matches and targets, as iptables-nft 1.8.9 wrote it.
    @Test(
        arguments: [
            (false, "multiport", 1, [1, 2, 80, 0, 90, 0], "-m multiport --dports 80,90"),
            (false, "mark", 1, [5, 0, 0, 0, 255, 0, 0, 0, 1], "-m mark ! --mark 5/255"),
            (false, "addrtype", 1, [0, 0, 4, 0, 0, 0, 0, 0], "-m addrtype --dst-type LOCAL"),
            (false, "rpfilter", 0, [8], "-m rpfilter --invert"),
            (false, "owner", 1, [1, 2, 3], "-m owner --…"),
            (true, "CT", 2, [1, 0, 0, 0], "-j CT --notrack"),
            (true, "CT", 2, [0, 0, 5, 0], "-j CT --zone 5"),
            (
                true, "CONNMARK", 1, [0, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 2],
                "-j CONNMARK --restore-mark --nfmask 255 --ctmask 255"
            ),
            // Since iptables 1.8 with a shift before the mode.
            (
                true, "CONNMARK", 2, [0, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 2],
                "-j CONNMARK --restore-mark --nfmask 255 --ctmask 255"
            ),
            (true, "CONNMARK", 2, [0, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 2, 0, 1], "-j CONNMARK"),
            (true, "MARK", 2, [5, 0, 0, 0, 255, 0, 0, 0], "-j MARK --set-xmark 5/255"),
            (true, "REJECT", 0, [], "-j REJECT"),
            (false, "set", 1, [7, 0, 1, 2], "-m set --match-set blocked src"),
            (false, "set", 4, [7, 0, 2, 3], "-m set ! --match-set blocked src,dst"),
            // A number that no set has; how many packets an element has seen; elements that are marked as exceptions.
            (false, "set", 4, [8, 0, 1, 0], "-m set --…"),
            (false, "set", 4, [7, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 4], "-m set --…"),
            (false, "set", 3, [7, 0, 1, 0, 0, 0, 0, 0, 4], "-m set --…"),
            (false, "set", 4, [7, 0, 1, 128], "-m set --…"),
        ] as [(Bool, String, UInt32, [UInt8], String)])
    func extensions(isTarget: Bool, name: String, revision: UInt32, info: [UInt8], words: String) {
        let padded = name == "multiport" ? info + [UInt8](repeating: 0, count: 48 - info.count) : info
        #expect(
            XTWords.words(
                isTarget: isTarget, name, revision: revision, padded, isIPv6: false,
                setName: { $0 == 7 ? "blocked" : nil }
            ).joined(separator: " ") == words)
    }

    /// A mark of ours, 0x100, and what becomes of it.
    @Test(
        arguments: [
            ("--set-xmark 0x5/0xffffffff", .yes), ("--set-xmark 0x0/0xff", .no), ("--set-xmark 0x100/0xffffffff", .no),
            ("--set-xmark 0x4000/0x4000", .yes), ("--and-mark 0xfff", .no), ("--xor-mark 0x1", .yes),
        ] as [(String, Truth)])
    func marks(words: String, truth: Truth) {
        let action = IPTablesTargets.action(
            ("-j MARK " + words).split(separator: " ").map(String.init)[...], chains: [])
        guard case .affect(.remarked(let change)) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(change.changes(0x100) == truth)
    }
}
