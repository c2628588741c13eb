import Foundation
import Testing

@testable import IPVSKit

/// The properties of values, and values that cannot be expressed.
@Suite struct ValueTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

    /// Persistence is `VirtualService.persistence`, and "hashed" is the kernel's own.
    @Test func flagsSayNothingOfWhatIsSaidElsewhere() {
        let withheld = VirtualService.Flags(rawValue: 3)
        #expect(withheld.isEmpty)
        #expect(VirtualService(id: Self.web, flags: withheld) == VirtualService(id: Self.web))
        #expect(VirtualService.Flags(rawValue: .max).rawValue == 0xFFFF_FFFC)
        #expect(VirtualService.Flags(rawValue: 0x27) == [.onePacket, .init(rawValue: 0x20)])
    }

    @Test func aNetmaskIsOneThingInWhicheverWords() {
        typealias Netmask = VirtualService.Persistence.Netmask
        for (length, mask) in [(0, 0), (1, 0x8000_0000), (24, 0xFFFF_FF00), (32, .max)] as [(UInt8, UInt32)] {
            #expect(Netmask.mask(mask) == .prefix(length))
            #expect(Netmask.prefix(length).mask == mask && Netmask.mask(mask).prefixLength == length)
        }
        let gaps = Netmask.mask(0xFF00_FF00)
        #expect(gaps.mask == 0xFF00_FF00 && gaps.prefixLength == nil && gaps.description == "255.0.255.0")
        #expect(gaps.number(.ipv6) == nil && Netmask.prefix(0).number(.ipv6) == nil)
        #expect(Netmask.prefix(33).mask == nil && Netmask.prefix(33).number(.ipv6) == 33)
        #expect(Netmask.prefix(129).number(.ipv6) == nil && Netmask.prefix(64).description == "64")
    }

    /// Values are normalised to the form in which the kernel's answer is read.
    @Test func aMaskOfTheWholeAddressIsNone() {
        let service = VirtualService(id: Self.web, persistence: .init(netmask: .prefix(32)))
        #expect(service == VirtualService(id: Self.web, persistence: .init()))
        let six = VirtualService.ID.firewallMark(1, .ipv6)
        var other = VirtualService(id: six, persistence: .init(netmask: .prefix(32)))
        #expect(other.persistence?.netmask == .prefix(32))
        other.persistence?.netmask = .prefix(128)
        #expect(other == VirtualService(id: six, persistence: .init()))
    }

    /// The kernel keeps only three bits.
    @Test func aForwardingMethodIsOneThatTheKernelKeeps() {
        #expect(Destination.ForwardingMethod(rawValue: 9).rawValue == 1)
        #expect(Destination.ForwardingMethod(rawValue: 0x102) == .tunnel)
        #expect(Destination.ForwardingMethod(rawValue: 7).rawValue == 7)
    }

    /// The tunnel counts in comparisons only if the forwarding method is a tunnel.
    @Test func aTunnelCountsWhereThereIsOne() {
        let plain = Destination("10.0.0.1", port: 80)
        var other = plain
        other.tunnel = .init(type: .gue, port: 6080)
        #expect(other == plain && other.hashValue == plain.hashValue)
        other.forwarding = .tunnel
        #expect(other.tunnel.port == 6080, "whichever of the two is set first")
        #expect(other != Destination("10.0.0.1", port: 80, forwarding: .tunnel))
    }

    @Test func everyPartOfADestinationCounts() {
        let destination = Destination("10.0.0.1", port: 80, forwarding: .tunnel)
        for change: (inout Destination) -> Void in [
            { $0.weight = 9 }, { $0.forwarding = .directRoute }, { $0.upperThreshold = 9 }, { $0.lowerThreshold = 9 },
            { $0.tunnel.port = 9 },
        ] {
            var other = destination
            change(&other)
            #expect(other != destination)
            #expect(Set([other, destination]).count == 2)
        }
        #expect(Destination("10.0.0.2", port: 80, forwarding: .tunnel) != destination)
    }

    private func roundTrip<Value: Codable & Equatable>(_ values: [Value]) throws {
        let text = try JSONEncoder().encode(values)
        #expect(try JSONDecoder().decode([Value].self, from: text) == values)
    }

    @Test func whatIsEncodedIsDecoded() throws {
        try roundTrip([IPAddress("10.0.0.1"), "fd00::1", "::ffff:10.0.0.1"])
        try roundTrip([FirewallMark(rawValue: 1)!, FirewallMark(rawValue: .max)!])
        try roundTrip([Scheduler.roundRobin, "tomorrow"])
        try roundTrip([TransportProtocol.tcp, .udp, .sctp, .init(rawValue: 1), .init(rawValue: .max)])
    }

    @Test(arguments: ["TCP", "6", "tcp"]) func aProtocolIsReadByNameOrNumber(text: String) throws {
        #expect(try JSONDecoder().decode([TransportProtocol].self, from: Data("[\"\(text)\"]".utf8)) == [.tcp])
    }

    @Test(arguments: ["\"icmp\"", "\"65536\"", "\"-1\"", "\"+6\"", "\"\"", "6"])
    func whatIsNoProtocolIsNotDecoded(text: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([TransportProtocol].self, from: Data("[\(text)]".utf8))
        }
    }

    @Test func whatIsNoValueIsNotDecoded() {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([IPAddress].self, from: Data("[\"10.0.0\"]".utf8))
        }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([FirewallMark].self, from: Data("[0]".utf8)) }
    }
}
