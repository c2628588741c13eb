import IPVSKit
import Testing

@testable import RuleKit

@Suite struct IPSetTests {
    private static let sets = IPSet.all([.ipv4, .ipv6])

    @Test func namesAreShortAndTheirOwn() {
        let names = Self.sets.map(\.name)
        #expect(names.count == 34)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.utf8.count <= 15 && $0.hasPrefix("mesh-") }, "\(names)")
    }

    /// The output of `ipset save` 7.17 for sets that were created with our definitions.
    private static let saved: [(set: IPSet, text: String, elements: [String])] = [
        (
            IPSet(.tasks, .ipv4),
            """
            create mesh-task4 hash:ip family inet hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x6b425dae
            add mesh-task4 10.0.0.2

            """, ["mesh-task4 10.0.0.2"]
        ),
        (
            IPSet(.hairpins, .ipv6),
            """
            create mesh-hairpin6 hash:net,net family inet6 hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x19d37899
            add mesh-hairpin6 fd00::/64,fd00::/64
            """, ["mesh-hairpin6 fd00::/64"]
        ),
        (
            IPSet(.sourceNAT, .ipv4),
            """
            create mesh-snat4 hash:ip,mark family inet markmask 0xffffffff hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x8dd03434
            add mesh-snat4 10.0.0.2,0x00000100
            """, ["mesh-snat4 0x100 . 10.0.0.2"]
        ),
        (
            IPSet(.allowed, .ipv4),
            """
            create mesh-allow4 hash:net,port family inet hashsize 1024 maxelem 1048576 bucketsize 12 initval 0xfb2a9f40
            add mesh-allow4 10.0.0.0/8,tcp:1000
            add mesh-allow4 128.0.0.0/1,sctp:1000
            add mesh-allow4 1.2.3.4,sctp:1000
            """,
            [
                "mesh-allow4 tcp . 1000 . 10.0.0.0/8", "mesh-allow4 sctp . 1000 . 128.0.0.0/1",
                "mesh-allow4 sctp . 1000 . 1.2.3.4/32",
            ]
        ),
        (
            IPSet(.allowedAt, .ipv6),
            """
            create mesh-allow-at6 hash:ip,port,net family inet6 hashsize 1024 maxelem 1048576 bucketsize 12 initval 0xa6a67bc8
            add mesh-allow-at6 fd00::1,tcp:1001,fd00::/16
            """, ["mesh-allow-at6 fd00::1 . tcp . 1001 . fd00::/16"]
        ),
        (
            IPSet(.restrictedTCP, .ipv4),
            """
            create mesh-only-tcp bitmap:port range 0-65535
            add mesh-only-tcp 1080
            """, ["mesh-only-tcp 1080"]
        ),
        (
            IPSet(.markedSCTP, .ipv4),
            """
            create mesh-mark-sctp4 hash:net,port family inet hashsize 1024 maxelem 1048576 skbinfo bucketsize 12 initval 0x9e1b12bf
            add mesh-mark-sctp4 0.0.0.0/1,sctp:1001 skbmark 0x100
            """, ["mesh-mark-sctp4 sctp . 1001 . 0.0.0.0/1 : 0x100"]
        ),
        (
            IPSet(.markedAt, .ipv4),
            """
            create mesh-mark-at4 hash:ip,port family inet hashsize 1024 maxelem 1048576 skbinfo bucketsize 12 initval 0x69682363
            add mesh-mark-at4 192.168.5.1,tcp:80
            add mesh-mark-at4 192.168.5.1,sctp:1001 skbmark 0x100
            """,
            ["mesh-mark-at4 192.168.5.1 . tcp . 80", "mesh-mark-at4 192.168.5.1 . sctp . 1001 : 0x100"]
        ),
        (
            IPSet(.markedTCP, .ipv4),
            """
            create mesh-mark-tcp bitmap:port range 0-65535 skbinfo
            add mesh-mark-tcp 1080 skbmark 0x100
            add mesh-mark-tcp 1081
            add mesh-mark-tcp 1082 skbmark 0x100/0xff
            add mesh-mark-tcp 1083 skbmark 0x0
            """,
            ["mesh-mark-tcp 1080 : 0x100", "mesh-mark-tcp 1081", "mesh-mark-tcp 1082", "mesh-mark-tcp 1083"]
        ),
        (
            IPSet(.virtualAddresses, .ipv6),
            """
            create mesh-vip6 hash:ip family inet6 hashsize 1024 maxelem 1048576 skbinfo bucketsize 12 initval 0x4b5a1ece
            add mesh-vip6 fd00::2 skbmark 0x101
            """, ["mesh-vip6 fd00::2 : 0x101"]
        ),
    ]

    @Test(arguments: saved.indices)
    func readsWhatIpsetSaves(index: Int) {
        let (set, text, elements) = Self.saved[index]
        let contents = IPSetContents(set, saved: text)
        #expect(contents.elements.map(\.description) == elements)
        #expect(contents.strays.isEmpty)
        #expect(set.works(as: contents.definition), "\(contents.definition)")
    }

    /// The text that is written for an element is read as the same element.
    @Test(arguments: saved.indices)
    func writesWhatItReads(index: Int) {
        let (set, text, _) = Self.saved[index]
        for element in IPSetContents(set, saved: text).elements {
            let added = set.additions(element)[0].replacing(" -exist", with: "")
            #expect(IPSetContents(set, saved: added).elements == [element], "\(added)")
        }
    }

    @Test func aSetOfAnotherKindIsNotOurs() {
        for set in Self.sets {
            let printed = set.use.layout == .addressMark ? set.definition + " markmask 0xffffffff" : set.definition
            for other in Self.sets {
                let isSame = other.definition == set.definition
                #expect(other.works(as: printed) == isSame, "\(other.name) as \(printed)")
            }
            for option in ["timeout 300", "counters", "netmask 24", "nonsense"] {
                #expect(!set.works(as: "\(printed) \(option)"), "\(set.name) with \(option)")
            }
        }
        #expect(!IPSet(.sourceNAT, .ipv4).works(as: "hash:ip,mark family inet markmask 0x000000ff"))
    }

    @Test func whatWeWouldNotWriteIsAStray() {
        let contents = IPSetContents(
            IPSet(.allowed, .ipv4),
            saved: """
                add mesh-allow4 10.0.0.0/8,tcp:1000 nomatch
                add mesh-allow4 10.0.0.0/8,udplite:1000
                add mesh-allow4 10.0.0.0/8,icmp:echo-request
                add mesh-allow4 10.0.0.0/8,tcp:0
                add mesh-allow4 10.0.0.0/8
                """)
        #expect(contents.elements.isEmpty)
        #expect(
            contents.strays == [
                "10.0.0.0/8,tcp:1000", "10.0.0.0/8,udplite:1000", "10.0.0.0/8,icmp:echo-request", "10.0.0.0/8,tcp:0",
                "10.0.0.0/8",
            ])
        #expect(
            IPSetContents(IPSet(.hairpins, .ipv4), saved: "add mesh-hairpin4 10.0.0.0/8,10.1.0.0/16").strays
                == ["10.0.0.0/8,10.1.0.0/16"])
    }

    @Test func aRangeIsALineUnlessTheKernelWouldRefuseIt() {
        let ports = SetElement("mesh-mark-tcp", ports: 1...65535, value: .mark(0x100))
        #expect(IPSet(.markedTCP, .ipv4).additions(ports) == ["add mesh-mark-tcp 1-65535 skbmark 0x100 -exist"])
        let pairs = SetElement("mesh-allow4", transport: .udp, ports: 1000...20000, prefix: "10.0.0.0/8")
        #expect(
            IPSet(.allowed, .ipv4).additions(pairs) == [
                "add mesh-allow4 10.0.0.0/8,udp:1000-17383 -exist", "add mesh-allow4 10.0.0.0/8,udp:17384-20000 -exist",
            ])
        #expect(
            IPSet(.allowed, .ipv4).removals(pairs) == [
                "del mesh-allow4 10.0.0.0/8,udp:1000-17383 -exist", "del mesh-allow4 10.0.0.0/8,udp:17384-20000 -exist",
            ])
    }

    @Test func libipsetSaysAtWhichLineItStopped() {
        let (number, reason) = IPSetLibrary.line(in: "Error in line 3: Kernel error received: set type not supported")
        #expect(number == 3)
        #expect(reason == "Kernel error received: set type not supported")
        #expect(IPSetLibrary.line(in: "Cannot open session to kernel.").0 == nil)
    }
}
