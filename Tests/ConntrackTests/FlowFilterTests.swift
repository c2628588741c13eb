import Conntrack
import IPVSKit
import Testing

@Suite struct FlowFilterTests {
    /// A client of port 1053 of the node, which a task answers from port 53.
    private let flow = Flow(
        protocol: .udp,
        original: .init(source: .init("10.1.0.2", port: 40000), destination: .init("10.1.0.1", port: 1053)),
        reply: .init(source: .init("10.11.0.2", port: 53), destination: .init("10.1.0.2", port: 40000)),
        status: [.confirmed, .destinationNAT])

    @Test func aProtocolAloneIsEnough() {
        #expect(FlowFilter(protocol: .udp).matches(flow))
        #expect(!FlowFilter(protocol: .tcp).matches(flow))
    }

    @Test(arguments: [
        (FlowFilter(protocol: .udp, originalDestination: "10.1.0.1"), true),
        (FlowFilter(protocol: .udp, originalDestination: "10.1.0.2"), false),
        (FlowFilter(protocol: .udp, originalDestination: "::a01:1"), false),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 1053...1053), true),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 1000...1053), true),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 1053...1100), true),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 1054...1100), false),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 1000...1052), false),
        // The port that the reply comes from, and the client's: neither is the one that was sent to.
        (FlowFilter(protocol: .udp, originalDestinationPorts: 53...53), false),
        (FlowFilter(protocol: .udp, originalDestinationPorts: 40000...40000), false),
        (FlowFilter(protocol: .udp, replySource: "10.11.0.2"), true),
        (FlowFilter(protocol: .udp, replySource: "10.1.0.1"), false),
        (FlowFilter(protocol: .udp, replySourcePort: 53), true),
        (FlowFilter(protocol: .udp, replySourcePort: 1053), false),
    ])
    func aFieldIsCompared(filter: FlowFilter, matches: Bool) { #expect(filter.matches(flow) == matches) }

    @Test func everyFieldMustAgree() {
        let all = FlowFilter(
            protocol: .udp, originalDestination: "10.1.0.1", originalDestinationPorts: 1053...1053,
            replySource: "10.11.0.2", replySourcePort: 53)
        #expect(all.matches(flow))
        for change: (inout FlowFilter) -> Void in [
            { $0.protocol = .sctp }, { $0.originalDestination = "10.1.0.3" },
            { $0.originalDestinationPorts = 1...1 }, { $0.replySource = "10.12.0.2" }, { $0.replySourcePort = 54 },
        ] {
            var other = all
            change(&other)
            #expect(!other.matches(flow), "\(other)")
        }
    }

    @Test func aFlowReadsLikeASentence() {
        #expect(
            "\(flow)" == "UDP 10.1.0.2:40000 -> 10.1.0.1:1053, reply 10.11.0.2:53 -> 10.1.0.2:40000, 0s")
    }
}
