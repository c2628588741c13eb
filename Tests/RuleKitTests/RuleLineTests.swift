import Testing

@testable import RuleKit

/// The lines that iptables-save 1.8.9 prints for rules that `iptables -A` added.
@Suite struct RuleLineTests {
    @Test(arguments: [
        (#"-A FORWARD -j MESH-FORWARD"#, "MESH-FORWARD"),
        (#"-A FORWARD -g OTHERS"#, "OTHERS"),
        (#"-A FORWARD -m comment --comment "x -j MESH-y" -j ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD -m comment --comment "x -j MESH-y""#, nil),
        (#"-A FORWARD -m comment --comment -j -j ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD -m comment --comment -j -m tcp --dport 7 -g OTHERS"#, "OTHERS"),
        (#"-A FORWARD -m comment --comment --jump"#, nil),
        (#"-A FORWARD -m comment --comment "say \"-j MESH-y\" -j MESH-z" -j LOG --log-prefix "-j MESH-y ""#, "LOG"),
        (#"-A FORWARD -m comment --comment "a \\\\" -j ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD -m comment --comment "it\'s" -j ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD -m comment --comment a\b -j ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD --jump ACCEPT"#, "ACCEPT"),
        (#"-A FORWARD"#, nil),
    ])
    func theTargetIsNoWordOfAComment(line: String, target: String?) {
        #expect(RuleLine(line).target == target)
    }

    @Test func wordsAreWithoutTheirQuotes() {
        #expect(
            RuleLine(#"-A INPUT -m comment --comment "a \"b\"  c\\" -m string --string "" -j ACCEPT"#).words == [
                "-A", "INPUT", "-m", "comment", "--comment", #"a "b"  c\"#, "-m", "string", "--string", "", "-j",
                "ACCEPT",
            ])
    }

    @Test func aCommentMayHoldTheEndOfALine() {
        let text =
            "*filter\n-A INPUT -m comment --comment \"x\n-A FORWARD -j MESH-y\" -j ACCEPT\n-A INPUT -j \"x\nCOMMIT\n"
        #expect(
            RuleLine.lines(of: text) == [
                "*filter", "-A INPUT -m comment --comment \"x\n-A FORWARD -j MESH-y\" -j ACCEPT", "-A INPUT -j \"x",
                "COMMIT",
            ])
        #expect(SavedTables(text).isEmpty)
    }

    @Test func theSetsOfARule() {
        let rules = [
            #"-A INPUT -m set --match-set mesh-mark-tcp dst -m set ! --match-set others src -j LOG"#,
            #"-A OUTPUT -m comment --comment "--match-set mesh-no dst" -j SET --map-set mesh-vip4 dst --map-mark"#,
            #"-A OUTPUT -j SET --add-set mesh-task4 dst --exist"#,
        ]
        #expect(rules.map { RuleLine($0).sets } == [["mesh-mark-tcp", "others"], ["mesh-vip4"], ["mesh-task4"]])
    }
}
