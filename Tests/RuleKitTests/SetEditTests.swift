import IPVSKit
import Testing

@testable import RuleKit

/// The edits for changes: an element that can be replaced in place is never removed.
@Suite struct SetEditTests {
    private static let sets = Dictionary(
        uniqueKeysWithValues: IPSet.all([.ipv4, .ipv6]).map { ($0.name, $0) })

    private func marked(_ ports: ClosedRange<UInt16>, _ mark: FirewallMark) -> SetElement {
        SetElement("mesh-mark-tcp", ports: ports, value: .mark(mark))
    }

    @Test func aMarkIsOverwritten() {
        let edit = SetEdit(
            [.put(marked(1080...1080, 0x101), replacing: [marked(1080...1080, 0x100)])], sets: Self.sets)
        #expect(edit.additions == ["add mesh-mark-tcp 1080 skbmark 0x101 -exist"])
        #expect(edit.removals == [])
    }

    @Test func ofARangeOnlyTheRestGoes() {
        let edit = SetEdit(
            [
                .put(marked(1000...1499, 0x101), replacing: [marked(1000...1999, 0x100)]),
                .put(marked(1600...1699, 0x102), replacing: []),
            ], sets: Self.sets)
        #expect(
            edit.additions == [
                "add mesh-mark-tcp 1000-1499 skbmark 0x101 -exist", "add mesh-mark-tcp 1600-1699 skbmark 0x102 -exist",
            ])
        #expect(
            edit.removals == ["del mesh-mark-tcp 1500-1599 -exist", "del mesh-mark-tcp 1700-1999 -exist"])
    }

    @Test func theLastPortIsInARange() {
        #expect(RangeSet(ports: 1...65535).portRanges == [1...65535])
        #expect(RangeSet(ports: 1...65535).subtracting(RangeSet(ports: 80...80)).portRanges == [1...79, 81...65535])
    }

    @Test func anAddressWithAnotherMarkIsOverwritten() {
        let old = SetElement("mesh-vip4", address: "10.200.0.1", value: .mark(0x100))
        let new = SetElement("mesh-vip4", address: "10.200.0.1", value: .mark(0x101))
        let edit = SetEdit([.put(new, replacing: [old])], sets: Self.sets)
        #expect(edit.additions == ["add mesh-vip4 10.200.0.1 skbmark 0x101 -exist"])
        #expect(edit.removals == [])
    }

    @Test func translatedPortsAreRules() {
        let old = SetElement("mesh-target4", mark: 0x100, transport: .tcp, ports: 1081...1081, value: .port(80))
        let new = SetElement("mesh-target4", mark: 0x100, transport: .tcp, ports: 1081...1081, value: .port(81))
        let edit = SetEdit([.put(new, replacing: [old])], sets: Self.sets)
        #expect(edit.additions.isEmpty && edit.removals.isEmpty)
        let saved = SavedTables(
            """
            *nat
            :MESH-TARGET - [0:0]
            -A MESH-TARGET -p tcp -m mark --mark 0x100 -m tcp --dport 1081 -j DNAT --to-destination :80
            COMMIT
            """)
        let document = """
            *nat
            -D MESH-TARGET -p tcp -m mark --mark 0x100 -m tcp --dport 1081 -j DNAT --to-destination :80
            -A MESH-TARGET -p tcp -m mark --mark 0x100 -m tcp --dport 1081 -j DNAT --to-destination :81
            COMMIT

            """
        #expect(saved.editing(edit.targets, family: .ipv4) == document)
        #expect(saved.editing(edit.targets, family: .ipv6) == "")

        var after = saved
        after.note(edit.targets, .ipv4)
        #expect(after.targets(.ipv4) == [new])
        #expect(after.editing(edit.targets, family: .ipv4) == "", "written twice it is written once")
    }

    @Test(arguments: [
        "-A MESH-TARGET -p tcp -m mark --mark 0x100 -m tcp --dport 1081 -j DNAT --to-destination :80",
        "-A MESH-TARGET -p sctp -m mark --mark 0x100 -m sctp --dport 1081:1090 -j DNAT --to-destination :80-89/1081",
        "-A MESH-TARGET -d 10.0.0.1/32 -p udp -m mark --mark 0x100 -m udp --dport 53 -j DNAT --to-destination :5353",
    ])
    func aTargetRuleIsReadAsTheElementItWasWrittenFor(line: String) throws {
        let element = try #require(TargetRule.element(line, .ipv4))
        #expect(TargetRule.line(element) == line)
        for foreign in [
            line + " --persistent", line.replacing("-p ", with: "-s 10.0.0.0/8 -p "),
            line.replacing("-d 10.0.0.1/32", with: "-d 10.0.0.0/8"), line.replacing("DNAT", with: "REDIRECT"),
            line.replacing("--mark 0x100", with: "--mark 0x100/0xfff"),
            line.replacing("/1081", with: "/1082"),
        ] where foreign != line {
            #expect(TargetRule.element(foreign, .ipv4) == nil, "\(foreign)")
        }
    }
}
