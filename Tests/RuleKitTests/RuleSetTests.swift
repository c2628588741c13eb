import IPVSKit
import Testing

@testable import RuleKit

@Suite struct RuleSetTests {
    private static let web = PortBinding(1080, .tcp)
    private static let dns = PortBinding(53, .udp)

    private static func rules(_ ports: [PortBinding: FirewallMark], hairpins: Set<IPPrefix> = []) -> RenderedRules {
        var rules = RuleSet()
        rules.ports = ports.mapValues { PortRule(mark: $0) }
        rules.hairpins = hairpins
        return NFTablesBackend().render(rules)
    }

    private static func intact(_ rendered: RenderedRules) -> ObservedRules {
        ObservedRules(skeleton: .intact, elements: rendered.elements)
    }

    private func lines(_ changes: [RuleChange]) -> [String] {
        changes.map { change in
            switch change {
            case .install: "install"
            case .uninstall: "uninstall"
            case .put(let element, let replaced): "+ \(element)" + replaced.map { " for \($0)" }.joined()
            case .remove(let element): "- \(element)"
            }
        }
    }

    @Test func nothingWantedAndNothingThereIsNothingToDo() {
        let (additions, removals) = Self.rules([:]).changes(from: ObservedRules())
        #expect(additions.isEmpty && removals.isEmpty)
    }

    @Test func whatAPacketMeetsLastComesFirst() {
        let (additions, removals) = Self.rules([Self.web: 0x100], hairpins: ["10.0.0.0/8"])
            .changes(from: ObservedRules())
        #expect(
            lines(additions) == [
                "+ hairpin4 10.0.0.0/8", "+ published 0x100", "+ counters 0x100 : tcp-1080",
                "+ marks tcp . 1080 : 0x100", "install",
            ])
        #expect(removals.isEmpty)
    }

    @Test func goesInReverse() {
        let found = Self.intact(Self.rules([Self.web: 0x100, Self.dns: 0x101], hairpins: ["10.0.0.0/8"]))
        let (additions, removals) = Self.rules([Self.dns: 0x101]).changes(from: found)
        #expect(additions.isEmpty)
        #expect(
            lines(removals) == [
                "- marks tcp . 1080 : 0x100", "- counters 0x100 : tcp-1080", "- published 0x100",
                "- hairpin4 10.0.0.0/8",
            ])
    }

    @Test func theLastPortTakesTheRulesWithIt() {
        var found = Self.intact(Self.rules([Self.web: 0x100]))
        found.skeleton = .damaged([RuleFault("x")])
        let (additions, removals) = Self.rules([:]).changes(from: found)
        #expect(additions.isEmpty)
        #expect(removals == [.uninstall])
    }

    @Test func aSecondPassChangesNothing() {
        let wanted = Self.rules([Self.web: 0x100, PortBinding(1000...1010, .tcp, at: "10.0.0.1"): 0x101])
        let (additions, removals) = wanted.changes(from: Self.intact(wanted))
        #expect(additions.isEmpty && removals.isEmpty)
    }

    @Test func aWrongMarkIsReplacedInOneStep() {
        let found = Self.intact(Self.rules([Self.web: 0x666]))
        let (additions, _) = Self.rules([Self.web: 0x100]).changes(from: found)
        #expect(lines(additions).contains("+ marks tcp . 1080 : 0x100 for marks tcp . 1080 : 0x666"))
    }

    /// If an interval overlaps a new one, the kernel accepts the new one only after the old one is removed.
    @Test func aRangeReplacesWhatItOverlaps() {
        let found = Self.intact(
            Self.rules([PortBinding(1000...1499, .tcp): 0x100, PortBinding(1501...1600, .tcp): 0x101]))
        let (additions, removals) = Self.rules([PortBinding(1000...2000, .tcp): 0x100]).changes(from: found)
        #expect(
            lines(additions).contains(
                "+ ranges_tcp 1000-2000 : 0x100 for ranges_tcp 1000-1499 : 0x100 for ranges_tcp 1501-1600 : 0x101"))
        #expect(!lines(removals).contains { $0.contains("ranges_tcp") })
    }

    /// The same holds for networks. They are replaced in one step, since a separate removal would be in a later
    /// transaction.
    @Test func aNetworkReplacesWhatItOverlaps() {
        let found = Self.intact(Self.rules([Self.web: 0x100], hairpins: ["10.0.0.0/8", "172.16.0.0/12"]))
        let (additions, removals) = Self.rules([Self.web: 0x100], hairpins: ["10.1.0.0/16", "10.2.0.0/16"])
            .changes(from: found)
        #expect(lines(additions) == ["+ hairpin4 10.1.0.0/16 for hairpin4 10.0.0.0/8", "+ hairpin4 10.2.0.0/16"])
        #expect(lines(removals) == ["- hairpin4 172.16.0.0/12"])
    }

    /// It is not known what a stray key overlaps.
    @Test func aStrayGoesBeforeWhatComesIntoItsSet() {
        var found = Self.intact(Self.rules([Self.web: 0x100]))
        let stray = StrayKey(description: "10.0.0.0/8 . 10.1.0.0/16", bytes: [])
        found.elements.insert(SetElement("hairpin4", stray: stray))
        let (additions, removals) = Self.rules([Self.web: 0x100], hairpins: ["10.1.0.0/16", "10.2.0.0/16"])
            .changes(from: found)
        #expect(
            lines(additions) == [
                "+ hairpin4 10.1.0.0/16 for hairpin4 10.0.0.0/8 . 10.1.0.0/16", "+ hairpin4 10.2.0.0/16",
            ])
        #expect(removals.isEmpty)
        #expect(
            lines(Self.rules([Self.web: 0x100]).changes(from: found).removals)
                == ["- hairpin4 10.0.0.0/8 . 10.1.0.0/16"])
    }

    /// Both backends leave out the inner network, because nftables cannot hold both.
    @Test func aNetworkInsideAnotherIsNone() {
        let networks: Set<IPPrefix> = [
            "10.0.0.0/8", "10.1.2.3", "10.88.0.0/16", "11.0.0.0/8", "fd00::/16", "fd00::1", "fd01::1",
        ]
        let outermost: Set<IPPrefix> = ["10.0.0.0/8", "11.0.0.0/8", "fd00::/16", "fd01::1"]
        #expect(networks.outermost == outermost)
        #expect(Set<IPPrefix>(["0.0.0.0/0", "0.0.0.0/8", "::/0", "fd00::/8"]).outermost == ["0.0.0.0/0", "::/0"])
        var rules = RuleSet()
        rules.ports[Self.web] = PortRule(mark: 0x100, allowed: networks)
        rules.hairpins = networks
        for backend in [NFTablesBackend(), IPTablesBackend()] as [any RuleBackend] {
            let prefixes = backend.render(rules).elements.compactMap(\.prefix)
            #expect(Set(prefixes) == outermost && prefixes.count == 2 * outermost.count)
        }
    }

    /// In a set that holds each port as an element of its own, only the missing port is added.
    @Test func ofARangeOnlyWhatIsMissingIsPut() {
        let binding = PortBinding(1000...2000, .tcp, at: "10.0.0.1")
        let wanted = Self.rules([binding: 0x100])
        var found = Self.intact(wanted)
        found.elements.remove(
            SetElement("marks_at4", transport: .tcp, ports: 1000...2000, address: "10.0.0.1", value: .mark(0x100)))
        found.elements.formUnion(
            [
                SetElement("marks_at4", transport: .tcp, ports: 1000...1499, address: "10.0.0.1", value: .mark(0x100)),
                SetElement("marks_at4", transport: .tcp, ports: 1501...2001, address: "10.0.0.1", value: .mark(0x100)),
            ])
        let (additions, removals) = wanted.changes(from: found)
        #expect(lines(additions) == ["+ marks_at4 10.0.0.1 . tcp . 1500 : 0x100"])
        #expect(lines(removals) == ["- marks_at4 10.0.0.1 . tcp . 2001 : 0x100"])
    }

    @Test func portsThatFollowEachOtherAreRead() {
        let single = [5, 1, 2, 3, 65535, 65534].map { SetElement("s", ports: $0...$0, value: .mark(1)) }
        #expect(Set(single.coalesced().map(\.ports)) == [1...3, 5...5, 65534...65535])
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("fd00::1/64", "fd00::/64"), ("::/0", "::/0"), ("fd00::1", "fd00::1/128"),
    ])
    func networks(text: String, canonical: String) {
        #expect(IPPrefix(text)?.description == canonical)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "fd00::/129", "any", "10.0.0.0/8/8"])
    func noNetworks(text: String) {
        #expect(IPPrefix(text) as IPPrefix? == nil)
    }

    @Test func bindingsOverlapByProtocolPortsAndAddress() {
        #expect(Self.web.overlaps(PortBinding(1000...2000, .tcp)))
        #expect(Self.web.overlaps(PortBinding(1080, .tcp, at: "10.0.0.1")))
        #expect(!Self.web.overlaps(PortBinding(1080, .udp)))
        #expect(!PortBinding(1080, .tcp, at: "10.0.0.2").overlaps(PortBinding(1080, .tcp, at: "10.0.0.1")))
        #expect(PortBinding(1080, .tcp, at: "fd00::1").description == "[fd00::1]:1080/tcp")
    }
}
