import IPVSKit

@testable import MeshKit
@testable import RuleKit

/// What a kernel held, and how its tools printed it, after the commands of `PlannerTests/aSecondPassPlansNothing`: not
/// made by what renders it, so that the two can differ.
enum ObservedTexts {
    /// `ipvsadm -Sn`: 256 (rr) with 10.0.0.2:80, its twin of IPv6 with [fd00::2]:80, and 257 (rr -p 60) with 10.0.0.2:0.
    static let table = Table([
        Table.Entry(
            VirtualService(id: .firewallMark(256, .ipv4), scheduler: "rr"),
            destinations: [Destination("10.0.0.2", port: 80)]),
        Table.Entry(
            VirtualService(id: .firewallMark(256, .ipv6), scheduler: "rr"),
            destinations: [Destination("fd00::2", port: 80)]),
        Table.Entry(
            VirtualService(id: .firewallMark(257, .ipv4), scheduler: "rr", persistence: .init(timeoutSeconds: 60)),
            destinations: [Destination("10.0.0.2", port: 0)]),
    ])

    static func elements(_ tool: RuleTool) -> Set<SetElement> {
        switch tool {
        case .nftables: nftables
        case .iptables: iptables
        }
    }

    /// As `nft list ruleset inet` prints it.
    private static var nftables: Set<SetElement> {
        // masquerade4 { 0x00000100 . 10.0.0.2, 0x00000101 . 10.0.0.2 }, published, restricted { 0x00000101 }
        var elements: Set = [
            SetElement("masquerade4", mark: 256, address: "10.0.0.2"),
            SetElement("masquerade4", mark: 257, address: "10.0.0.2"),
            SetElement("published", mark: 256), SetElement("published", mark: 257), SetElement("restricted", mark: 257),
            SetElement("allowed4", mark: 257, prefix: "0.0.0.0/0"),
            // answers4 { 10.0.0.2 . tcp . 80 }, answers6 { fd00::2 . tcp . 80 }, hairpin6 { fd00::2 . fd00::2 }
            SetElement("answers4", transport: .tcp, ports: 80...80, address: "10.0.0.2"),
            SetElement("answers6", transport: .tcp, ports: 80...80, address: "fd00::2"),
            SetElement("hairpin6", prefix: "fd00::2"),
            SetElement("counters", mark: 256, value: .counter("tcp-1080")),
            SetElement("counters", mark: 257, value: .counter("udp-1000-1010-at-10.0.0.1")),
            SetElement("marks", transport: .tcp, ports: 1080...1080, value: .mark(256)),
            SetElement("marks_at4", transport: .udp, ports: 1000...1010, address: "10.0.0.1", value: .mark(257)),
        ]
        // targets4 { 0x00000101 . 1000 : 2000, … 0x00000101 . 1010 : 2010 }
        for port: UInt16 in 1000...1010 {
            elements.insert(SetElement("targets4", mark: 257, ports: port...port, value: .port(port + 1000)))
        }
        return elements
    }

    /// As `ipset save` and `iptables-save -t nat` print it, read by what reads it.
    private static var iptables: Set<SetElement> {
        var elements = SavedTables(natTable).targets(.ipv4)
        for set in IPSet.all([.ipv4, .ipv6]) {
            let lines = saved.split(separator: "\n").filter { $0.hasPrefix("add \(set.name) ") }
            elements.formUnion(IPSetContents(set, saved: lines.joined(separator: "\n")).elements.coalesced())
        }
        return elements
    }

    private static let natTable = """
        *nat
        :PREROUTING ACCEPT [0:0]
        :MESH-TARGET - [0:0]
        -A PREROUTING -j MESH-TARGET
        -A MESH-TARGET -d 10.0.0.1/32 -p udp -m mark --mark 0x101 -m udp --dport 1000:1010 -j DNAT \
        --to-destination :2000-2010/1000
        COMMIT
        """

    private static let saved =
        """
        add mesh-task4 10.0.0.2
        add mesh-task6 fd00::2
        add mesh-answer4 10.0.0.2,tcp:80
        add mesh-answer6 fd00::2,tcp:80
        add mesh-hairpin6 fd00::2,fd00::2
        add mesh-snat4 10.0.0.2,0x00000101
        add mesh-snat4 10.0.0.2,0x00000100
        add mesh-mark-tcp 1080 skbmark 0x100

        """
        + (1000...1010).map { port in
            """
            add mesh-allow-at4 10.0.0.1,udp:\(port),0.0.0.0/1
            add mesh-allow-at4 10.0.0.1,udp:\(port),128.0.0.0/1
            add mesh-only-at4 10.0.0.1,udp:\(port)
            add mesh-mark-at4 10.0.0.1,udp:\(port) skbmark 0x101
            """
        }.joined(separator: "\n")
}
