import IPVSKit
import Testing

@testable import RuleKit

/// Whose rules they are, as rules carry it.
@Suite struct RuleOwnerTests {
    @Test(
        arguments: [
            ("/var/lib/meshctl", "meshctl:00ff:/var/lib/meshctl"), ("/a b/ü\"c", "meshctl:00ff:/a%20b/%c3%bc%22c"),
            ("/a:b%c", "meshctl:00ff:/a%3ab%25c"),
        ])
    func itIsReadAsItWasWritten(folder: String, text: String) {
        let owner = RuleOwner(id: "00ff", folder: folder)
        #expect(owner.text == text)
        #expect(RuleOwner(text: text) == owner)
    }

    /// A rule's comment has room for 128 bytes with nft, and for 255 with iptables; of long names the end tells them apart.
    @Test func aLongFolderIsCutAtItsBeginning() {
        let owner = RuleOwner(id: "0123456789abcdef", folder: "/" + String(repeating: "x", count: 4000) + "/end")
        #expect(owner.text.utf8.count < 128)
        #expect(owner.folder.hasSuffix("x/end"))
        #expect(RuleOwner(text: owner.text) == owner)
    }

    @Test(arguments: ["", "meshctl:", "meshctl:00ff", "other:00ff:/var", "meshctl:00ff:/a%2", "meshctl:00ff:/a%zz"])
    func anythingElseIsNone(text: String) { #expect(RuleOwner(text: text) == nil) }

    @Test func iptablesSaveSaysWhoseTheRulesAre() {
        for comment in ["meshctl:00ff:/var/lib/meshctl", "\"meshctl:00ff:/var/lib/meshctl\""] {
            let saved = SavedTables(
                """
                *mangle
                :PREROUTING ACCEPT [0:0]
                :MESH-OWNER - [0:0]
                -A MESH-OWNER -m comment --comment \(comment) -j RETURN
                COMMIT
                """)
            #expect(saved.owner == RuleOwner(id: "00ff", folder: "/var/lib/meshctl"))
            // It goes with the rest, and is none of any skeleton.
            #expect(saved.removing().contains("-X MESH-OWNER"))
            let faults = saved.faults(
                against: Skeleton(role: .balancer(detour: nil), family: .ipv4), tool: "iptables", family: .ipv4)
            #expect(!faults.contains { "\($0)".contains("MESH-OWNER") })
        }
    }

    @Test func theListingOfNftSaysWhoseTheTableIs() {
        let listing = NFTablesListing(
            """
            table inet meshctl {
            \tchain owner {
            \t\treturn comment "meshctl:00ff:/var/lib/meshctl"
            \t}
            }
            """)
        #expect(listing.owner == RuleOwner(id: "00ff", folder: "/var/lib/meshctl"))
        #expect(listing.faults(against: NFTablesListing("")).isEmpty)
        #expect(listing.removing(allBut: NFTablesListing("")).isEmpty)
    }

    @Test func rulesThatDoNotSayItAreClaimed() {
        var rules = RuleSet()
        rules.tasks = ["10.0.0.2"]
        rules.owner = RuleOwner(id: "00ff", folder: "/var/lib/meshctl")
        let rendered = NFTablesBackend.render(rules)
        var found = ObservedRules(skeleton: .intact, elements: rendered.elements)
        #expect(rendered.changes(from: found).additions == [.claim(rules.owner!)])
        found.owner = rules.owner
        #expect(rendered.changes(from: found).additions == [])
    }
}
