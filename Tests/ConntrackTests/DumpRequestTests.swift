import IPVSKit
import Testing

@testable import Conntrack

/// What the kernel is asked for: never less than the filters want.
@Suite struct DumpRequestTests {
    @Test func aFilterWithoutAddressIsForBothFamilies() {
        let filter = FlowFilter(protocol: .udp, originalDestinationPorts: 1053...1053)
        #expect(
            DumpRequest.covering([filter]) == [
                DumpRequest(family: .ipv4, protocol: 17, originalDestinationPort: 1053),
                DumpRequest(family: .ipv6, protocol: 17, originalDestinationPort: 1053),
            ])
    }

    @Test func anAddressSaysTheFamily() {
        let filter = FlowFilter(protocol: .udp, replySource: "10.11.0.2", replySourcePort: 53)
        #expect(
            DumpRequest.covering([filter]) == [
                DumpRequest(family: .ipv4, protocol: 17, replySource: "10.11.0.2", replySourcePort: 53)
            ])
    }

    /// The kernel leaves out what it should give, where it is asked for an IPv6 address.
    @Test func iPv6AddressesAreNotForTheKernel() {
        let filter = FlowFilter(
            protocol: .tcp, originalDestination: "fd01::1", replySource: "fd0b::2", replySourcePort: 53)
        #expect(
            DumpRequest.covering([filter]) == [DumpRequest(family: .ipv6, protocol: 6, replySourcePort: 53)])
    }

    @Test func aRangeOfPortsIsNotForTheKernel() {
        let filter = FlowFilter(
            protocol: .udp, originalDestination: "10.1.0.1", originalDestinationPorts: 1000...1001)
        #expect(
            DumpRequest.covering([filter]) == [
                DumpRequest(family: .ipv4, protocol: 17, originalDestination: "10.1.0.1")
            ])
    }

    /// Of many filters the kernel gets what they have in common.
    @Test func manyFiltersAreOneDumpForEachFamilyAndProtocol() {
        let filters = [
            FlowFilter(protocol: .udp, replySource: "10.11.0.2", replySourcePort: 53),
            FlowFilter(protocol: .udp, replySource: "10.12.0.2", replySourcePort: 53),
            FlowFilter(protocol: .udp, replySource: "fd0b::2", replySourcePort: 53),
            FlowFilter(protocol: .udp, replySource: "fd0b::2", replySourcePort: 54),
            FlowFilter(protocol: .tcp, originalDestination: "10.1.0.1"),
        ]
        #expect(
            DumpRequest.covering(filters) == [
                DumpRequest(family: .ipv4, protocol: 6, originalDestination: "10.1.0.1"),
                DumpRequest(family: .ipv4, protocol: 17, replySourcePort: 53),
                DumpRequest(family: .ipv6, protocol: 17),
            ])
        // One that asks for less makes the others' fields nobody's.
        #expect(
            DumpRequest.covering([filters[0], FlowFilter(protocol: .udp)]) == [
                DumpRequest(family: .ipv4, protocol: 17), DumpRequest(family: .ipv6, protocol: 17),
            ])
    }

    @Test func whatMatchesNothingAsksNothing() {
        #expect(DumpRequest.covering([FlowFilter]()).isEmpty)
        // Addresses of two families, and a number that is no protocol of a packet's.
        #expect(
            DumpRequest.covering([
                FlowFilter(protocol: .udp, originalDestination: "10.1.0.1", replySource: "fd0b::2"),
                FlowFilter(protocol: TransportProtocol(rawValue: 273)),
            ]).isEmpty)
    }
}
