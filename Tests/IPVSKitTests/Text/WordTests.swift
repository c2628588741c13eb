import IPVSKit
import TestSupport
import Testing

/// Values that print as one or a few words: each type reads the text that it prints, and nothing else.
@Suite struct WordTests {
    private func roundTrip<Value: LosslessStringConvertible & Equatable>(_ values: [Value]) {
        for value in values { #expect(Value(value.description) == value, "\(value)") }
    }

    @Test func whatIsPrintedIsRead() {
        roundTrip(AddressFamily.allCases)
        roundTrip(SyncDaemon.Role.allCases)
        roundTrip((0..<8).map { Destination.ForwardingMethod(rawValue: $0) })
        roundTrip((0...UInt8.max).map { Destination.Tunnel.Kind(rawValue: $0) })
        roundTrip((0...UInt16.max).map { TransportProtocol(rawValue: $0) })
        roundTrip([FirewallMark(rawValue: 1)!, FirewallMark(rawValue: .max)!])
        roundTrip(Scheduler.known + ["", "no such"])
        roundTrip([Connection.State.established, "tomorrow's"])
        roundTrip([CPUList.all, .none, "0-3,6"])
        typealias Netmask = VirtualService.Persistence.Netmask
        roundTrip([Netmask.mask(0), .mask(0xFF00_FF00), .mask(.max)] + (0...UInt8.max).map { .prefix($0) })
        roundTrip((0..<32).map { VirtualService.Flags(rawValue: 1 << $0) } + [.init(rawValue: .max)])
        roundTrip((0..<16).map { Destination.Tunnel.Flags(rawValue: 1 << $0) } + [.init(rawValue: .max)])
        roundTrip((0..<32).map { ConnectionReuse(rawValue: 1 << $0) } + [[], .init(rawValue: -1)])
    }

    @Test func anyIDIsReadAsItWasPrinted() {
        var generator = SeededGenerator.announced()
        for _ in 0..<1000 {
            let service = VirtualService.random(using: &generator)
            let destination = Destination.random(using: &generator)
            roundTrip([service.id])
            roundTrip([destination.id])
            roundTrip([Connection.Endpoint(destination.id.address, port: destination.id.port)])
        }
    }

    @Test func flagsSayTheirNames() {
        #expect(
            VirtualService.Flags([.hashPort, .onePacket, .init(rawValue: 0x20)]).description
                == "onePacket,hashPort,0x20")
        #expect(Destination.Tunnel.Flags([.remoteChecksum]).description == "remoteChecksum")
        #expect(ConnectionReuse([.inFinWait, .whenSafe]).description == "whenSafe,inFinWait")
        #expect(VirtualService.Flags([]).description == "" && VirtualService.Flags("") == [])
        #expect(VirtualService.Flags("0x2") == nil, "hashed is the kernel's own")
        #expect(VirtualService.Flags("persistent") == nil && VirtualService.Flags("0x100000000") == nil)
    }

    @Test(arguments: [
        "", "FWM", "FWM 0", "FWM 1 IPv5", "FWM 1  IPv6", "FWM 1 IPv6 ", "FWM 4294967296", "FWM -1", "TCP",
        "TCP 10.0.0.1",
        "TCP fd00::1:80", "TCP 10.0.0.1:80 IPv4", "ICMP 10.0.0.1:80", "10.0.0.1:80", "TCP [10.0.0.1]:80",
        "TCP [fd00::1]",
        "TCP 10.0.0.1:65536", "TCP 10.0.0.1:+1", "TCP 10.0.0.1:", "TCP :80", "TCP []:80", "TCP [:80",
        "TCP 10.0.0.1\u{0}:80",
    ]) func whatIsNoServiceIsNotRead(text: String) {
        #expect(VirtualService.ID(text) == nil)
    }

    @Test(arguments: [
        "", ":", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:+1", "10.0.0.1:80 ", " 10.0.0.1:80", "fd00::1:80",
        "[fd00::1]", "[fd00::1]80", "[10.0.0.1]:80", "[:80", "]:80", "[]:80", "web:80", "10.0.0.1\u{0}:80",
        "::ffff:1.2.3.4:80",
    ]) func whatIsNoEndpointIsNotRead(text: String) {
        #expect(Destination.ID(text) == nil && Connection.Endpoint(text) == nil)
    }

    @Test func whatIsNoWordIsNotRead() {
        #expect(VirtualService.ID("tcp 10.0.0.1:80") == .address("10.0.0.1", port: 80, protocol: .tcp))
        #expect(VirtualService.ID("fwm 1 ipv6") == .firewallMark(1, .ipv6))
        #expect(Destination.ForwardingMethod("masq") == .masquerade && Destination.ForwardingMethod("0") == .masquerade)
        for text in ["8", "-1", "", "Nat", "4294967304"] { #expect(Destination.ForwardingMethod(text) == nil) }
        for text in ["0", "0x0", "", "0x", "0x100000000", "-1", "1 "] { #expect(FirewallMark(text) == nil) }
        #expect(FirewallMark("0X1f") == 31 && FirewallMark("31") == 31)
        for text in ["256", "", "24 ", "fd00::1", "255.0"] {
            #expect(VirtualService.Persistence.Netmask(text) == nil)
        }
        for text in ["icmp", "", "65536", "+6", "-1"] { #expect(TransportProtocol(text) == nil) }
        for text in ["1.2", "1.2.3.4", "1.2.256", "1..2"] { #expect(Info.Version(text) == nil) }
        #expect(Info.Version("1.2.1")?.rawValue == 0x010201 && Info.Version("65535.255.255")?.rawValue == .max)
    }
}
