import IPVSKit
import Testing

@testable import RuleKit

@Suite struct RuleSetTests {
    private static let web = TransportPort(1080, .tcp)
    private static let dns = TransportPort(53, .udp)

    @Test func nothingWantedAndNothingThereIsNothingToDo() {
        let (additions, removals) = RuleSet.changes(from: ObservedRules(), to: RuleSet())
        #expect(additions.isEmpty && removals.isEmpty)
    }

    @Test func elementsComeBeforeTheRulesThatLookThemUp() {
        let (additions, removals) = RuleSet.changes(
            from: ObservedRules(), to: RuleSet(marks: [Self.web: 0x100], addresses: [.sourceNAT: ["10.0.0.2"]]))
        #expect(additions == [.add("10.0.0.2", .sourceNAT), .mark(Self.web, 0x100), .install([])])
        #expect(removals.isEmpty)
    }

    @Test func onePortMoreIsOneElement() {
        let found = ObservedRules(skeleton: .intact, rules: RuleSet(marks: [Self.web: 0x100]))
        let (additions, removals) = RuleSet.changes(
            from: found, to: RuleSet(marks: [Self.web: 0x100, Self.dns: 0x101]))
        #expect(additions == [.mark(Self.dns, 0x101)])
        #expect(removals.isEmpty)
    }

    @Test func marksGoBeforeSourceNAT() {
        let found = ObservedRules(
            skeleton: .intact,
            rules: RuleSet(marks: [Self.web: 0x100, Self.dns: 0x101], addresses: [.sourceNAT: ["10.0.0.2"]]))
        let (additions, removals) = RuleSet.changes(from: found, to: RuleSet(marks: [Self.dns: 0x101]))
        #expect(additions.isEmpty)
        #expect(removals == [.unmark(Self.web), .remove("10.0.0.2", .sourceNAT)])
    }

    @Test func theLastPortTakesTheRulesWithIt() {
        let found = ObservedRules(skeleton: .damaged([RuleFault("x")]), rules: RuleSet(marks: [Self.web: 0x100]))
        let (additions, removals) = RuleSet.changes(from: found, to: RuleSet())
        #expect(additions.isEmpty)
        #expect(removals == [.uninstall])
    }

    @Test func aWrongMarkIsPutRight() {
        let found = ObservedRules(skeleton: .intact, rules: RuleSet(marks: [Self.web: 0x666]))
        #expect(
            RuleSet.changes(from: found, to: RuleSet(marks: [Self.web: 0x100])).additions == [.mark(Self.web, 0x100)])
    }

    @Test func readsWhatIpsetSaves() {
        let contents = IPSetContents(
            saved: """
                create mesh-mark-tcp bitmap:port range 0-65535 skbinfo
                add mesh-mark-tcp 1080 skbmark 0x100
                add mesh-mark-tcp 1081
                add mesh-mark-tcp 1082 skbmark 0x100/0xff
                add mesh-mark-tcp 1083 skbmark 0x0

                """)
        #expect(contents.definition == "bitmap:port range 0-65535 skbinfo")
        #expect(contents.entries.map(\.element) == ["1080", "1081", "1082", "1083"])
        #expect(contents.entries.map(\.mark) == [0x100, nil, nil, nil])
    }
}
