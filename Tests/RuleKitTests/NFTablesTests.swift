import IPVSKit
import Testing

@testable import RuleKit

@Suite struct NFTablesTests {
    private static let detour = Detour(to: ["169.254.113.2"], by: "meshctl-lo")

    @Test func whatAPortIsMadeOf() {
        var rules = RuleSet()
        rules.ports = [
            PortBinding(1080, .tcp): PortRule(mark: 0x100, allowed: ["10.0.0.0/8", "fd00::/8"], target: 80),
            PortBinding(2000...2001, .udp): PortRule(mark: 0x101),
            PortBinding(53, .udp, at: "fd00::1"): PortRule(mark: 0x102),
            PortBinding(54, .udp, at: "fd00::1"): PortRule(mark: 0x104, target: 53),
            PortBinding(55, .udp): PortRule(mark: 0x105, target: 53, families: [.ipv4]),
            PortBinding(56, .udp): PortRule(mark: 0x106, twin: 55, families: []),
        ]
        rules.virtualAddresses = ["10.0.9.9": 0x103]
        rules.masqueraded = [BalancedPath(0x100, to: "10.0.0.2")]
        rules.hairpins = ["172.17.0.0/16"]
        rules.answering = [TaskPorts("10.0.0.2", .tcp, 80...80), TaskPorts("fd00::2", .sctp, 70...79)]
        #expect(
            NFTablesBackend().render(rules).elements.map(\.description).sorted() == [
                "allowed4 0x100 . 10.0.0.0/8", "allowed6 0x100 . fd00::/8", "answer_ranges_sctp6 fd00::2 . 70-79",
                "answers4 10.0.0.2 . tcp . 80",
                "counters 0x100 : tcp-1080", "counters 0x101 : udp-2000-2001", "counters 0x102 : udp-53-at-fd00__1",
                "counters 0x104 : udp-54-at-fd00__1", "counters 0x105 : udp-55", "counters 0x106 : udp-56",
                "hairpin4 172.17.0.0/16", "marks tcp . 1080 : 0x100", "marks udp . 55 : 0x105",
                "marks udp . 56 : 0x106",
                "marks_at6 fd00::1 . udp . 53 : 0x102", "marks_at6 fd00::1 . udp . 54 : 0x104",
                "masquerade4 0x100 . 10.0.0.2",
                "published 0x100", "published 0x101", "published 0x102", "published 0x103",
                "published 0x104", "published 0x105", "published 0x106",
                "ranges_udp 2000-2001 : 0x101", "restricted 0x100", "targets4 0x100 . 1080 : 80",
                "targets4 0x105 . 55 : 53", "targets6 0x100 . 1080 : 80", "targets6 0x104 . 54 : 53",
                "vips4 10.0.9.9 : 0x103",
            ])
    }

    /// A range is one element, however long.
    @Test func aRangeIsOneElement() {
        var rules = RuleSet()
        rules.ports = [PortBinding(10000...19999, .tcp): PortRule(mark: 0x100)]
        let elements = NFTablesBackend().render(rules).elements
        #expect(elements.filter { $0.set == "ranges_tcp" }.count == 1 && elements.count == 3)
    }

    @Test func theTextIsReadBackAsWritten() {
        for role in [RuleRole.balancer(detour: Self.detour), .balancer(detour: nil), .turnaround(node: ["10.0.0.1"])] {
            let listing = NFTablesListing(NFTablesSkeleton(role).text)
            #expect(listing.faults(against: listing).isEmpty)
            #expect(!listing.blocks.isEmpty)
        }
    }

    @Test func whatIsWrongIsNamed() {
        let text = NFTablesSkeleton(.balancer(detour: Self.detour)).text
        let wanted = NFTablesListing(text)
        func faults(_ edit: (String) -> String) -> [String] {
            NFTablesListing(edit(text)).faults(against: wanted).map(\.description)
        }
        #expect(
            faults { $0.replacing("\t\tmeta mark @restricted jump restrict\n", with: "") } == [
                "nft inet meshctl chain prerouting: missing: meta mark @restricted jump restrict"
            ])
        #expect(
            faults { $0.replacing("\t\tcounter drop\n", with: "\t\tcounter drop\n\t\taccept\n") } == [
                "nft inet meshctl chain restrict: not ours: accept"
            ])
        #expect(
            faults { $0.replacing("\t\tjump translate\n", with: "\t\tjump translate\n\t\tjump translate\n") } == [
                "nft inet meshctl chain nat-output: rules twice or out of order",
                "nft inet meshctl chain nat-prerouting: rules twice or out of order",
            ])
        #expect(faults { $0 + "\tset mine {\n\t\ttype mark\n\t}\n" } == ["nft inet meshctl set mine: not ours"])
        #expect(
            faults { $0.replacing("type mark : counter", with: "type mark : mark") } == [
                "nft inet meshctl map counters: missing: type mark : counter",
                "nft inet meshctl map counters: not ours: type mark : mark",
            ])
        #expect(
            faults { $0.replacing("table inet meshctl {\n", with: "table inet meshctl {\n\tflags dormant\n\n") } == [
                "nft inet meshctl flags dormant: not ours"
            ])
        #expect(NFTablesListing("").faults(against: wanted).count == wanted.blocks.count)
    }

    /// Counters are elements: each published port has one.
    @Test func countersAreNoPartOfTheSkeleton() {
        let text = NFTablesSkeleton(.turnaround(node: ["10.0.0.1"])).text
        let listed = text.replacing(
            "table inet meshctl {\n",
            with: "table inet meshctl {\n\tcounter tcp-1080 {\n\t}\n\n\tcounter tcp-1081 {\n\t}\n\n")
        #expect(NFTablesListing(listed) == NFTablesListing(text))
    }

    @Test func whatIsInTheWayGoesInOneTransaction() {
        let wanted = NFTablesListing(NFTablesSkeleton(.turnaround(node: ["10.0.0.1"])).text)
        let found = NFTablesListing(
            """
            table inet meshctl {
            \tflags dormant

            \tct helper ftp {
            \t\ttype "ftp" protocol tcp
            \t}

            \tset mine {
            \t\ttype mark
            \t}

            \tchain other {
            \t\tjump nat-prerouting
            \t}

            \tchain nat-prerouting {
            \t}
            }
            """)
        #expect(
            found.removing(allBut: wanted) == [
                "flush chain inet meshctl nat-prerouting", "flush chain inet meshctl other",
                "delete chain inet meshctl nat-prerouting", "delete chain inet meshctl other",
                "delete ct helper inet meshctl ftp", "delete set inet meshctl mine",
            ])
    }
}
