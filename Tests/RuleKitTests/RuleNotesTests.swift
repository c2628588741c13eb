import IPVSKit
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

/// What one process found of the rules is known to the next, for as long as the rules are the same.
@Suite struct RuleNotesTests {
    private static let moment = RuleMoment(namespace: 7, generation: 41)

    /// Notes of a process that met a moment, noted a text, and ended.
    private static func leave(_ text: String, at moment: RuleMoment = moment, in folder: FilePath) {
        let notes = RuleNotes(in: folder)
        notes.meet(moment)
        notes.put(text, of: "nftables", at: moment)
        notes.save()
    }

    @Test func theNextProcessKnows() throws {
        try TemporaryDirectory.with { folder in
            Self.leave("the rules", in: folder)
            let next = RuleNotes(in: folder)
            #expect(next.text(of: "nftables", at: Self.moment) == "the rules")
            #expect(next.text(of: "iptables-save", at: Self.moment) == nil)
            #expect(next.text(of: "nftables", at: RuleMoment(namespace: 8, generation: 41)) == nil)
            #expect(next.text(of: "nftables", at: RuleMoment(namespace: 7, generation: 42)) == nil)
            #expect(next.text(of: "nftables", at: RuleMoment(namespace: nil, generation: 41)) == nil)
        }
    }

    /// As what a tool refuses to change.
    @Test func whatIsDoubtfulIsForgotten() throws {
        try TemporaryDirectory.with { folder in
            Self.leave("the rules", in: folder)
            let next = RuleNotes(in: folder)
            next.meet(Self.moment)
            next.remove(of: Self.moment.namespace)
            #expect(next.text(of: "nftables", at: Self.moment) == nil)
            next.save()
            #expect(RuleNotes(in: folder).text(of: "nftables", at: Self.moment) == nil)
        }
    }

    @Test func namespacesThatNobodyMeetsAreForgotten() throws {
        try TemporaryDirectory.with { folder in
            let other = RuleMoment(namespace: 8, generation: 3)
            let notes = RuleNotes(in: folder)
            for moment in [Self.moment, other] {
                notes.meet(moment)
                notes.put("the same rules", of: "nftables", at: moment)
            }
            notes.save()
            let next = RuleNotes(in: folder)
            #expect(next.text(of: "nftables", at: other) == "the same rules")
            next.meet(Self.moment)
            next.save()
            let last = RuleNotes(in: folder)
            #expect(last.text(of: "nftables", at: Self.moment) == "the same rules")
            #expect(last.text(of: "nftables", at: other) == nil)
        }
    }

    @Test(arguments: ["", "{", #"{"boot":1}"#, #"{"boot":"x","texts":[],"entries":[]}"#])
    func aFileThatSaysNothingIsNoFault(content: String) throws {
        try TemporaryDirectory.with { folder in
            try folder.appending("rules-seen.json").write(content)
            let notes = RuleNotes(in: folder)
            #expect(notes.text(of: "nftables", at: Self.moment) == nil)
            Self.leave("the rules", in: folder)
            #expect(RuleNotes(in: folder).text(of: "nftables", at: Self.moment) == "the rules")
        }
    }

    /// After a start of the machine, namespaces have the numbers of others, and generations begin anew.
    @Test func anotherBootHasOtherRules() throws {
        try TemporaryDirectory.with { folder in
            Self.leave("the rules", in: folder)
            let file = folder.appending("rules-seen.json")
            try file.write(try file.text().replacing("\"boot\":\"", with: "\"boot\":\"not "))
            #expect(RuleNotes(in: folder).text(of: "nftables", at: Self.moment) == nil)
        }
    }

    @Test func aFolderThatCannotBeWrittenCostsOnlyTime() {
        Self.leave("the rules", in: "/proc/1/no-such-folder")
        #expect(RuleNotes(in: "/proc/1/no-such-folder").text(of: "nftables", at: Self.moment) == nil)
    }

    @Test func onlyOurOwnTransactionsLieBetween() {
        let later = RuleMoment(namespace: 7, generation: 43)
        #expect(later.follows(Self.moment, by: 2))
        #expect(!later.follows(Self.moment, by: 1))
        #expect(!RuleMoment(namespace: 8, generation: 43).follows(Self.moment, by: 2))
        #expect(RuleMoment(namespace: 7, generation: 0).follows(RuleMoment(namespace: 7, generation: .max), by: 1))
    }

    @Test(arguments: [nil, RuleOwner(id: "0123456789abcdef", folder: "/var/lib/meshctl")] as [RuleOwner?])
    func aNoteOfIntactRulesIsReadAsItWasWritten(owner: RuleOwner?) {
        let note = IntactNote(owner: owner, rules: NFTablesSkeleton(.turnaround(node: ["10.0.0.1"])).text)
        #expect(IntactNote(text: note.text) == note)
    }
}
