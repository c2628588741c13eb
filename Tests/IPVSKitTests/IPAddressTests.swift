import Testing

@testable import IPVSKit

@Suite struct IPAddressTests {
    @Test(
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::1", "::1"), ("FD00::0:1", "fd00::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ])
    func printsTheCanonicalForm(text: String, canonical: String) {
        let address: IPAddress? = .init(text)
        #expect(address?.description == canonical)
    }

    @Test(
        arguments: [
            "", "10.0.0", "10.0.0.1.1", "999.1.1.1", "10.0.0.1:80", "10.0.0.0/8", "010.0.0.1x", "localhost",
            "fe80::1%eth0",
            "[::1]", "10.0.0.1\0x", "::1\0", " 10.0.0.1", "10.0.0.1 ", "١٠.0.0.1", "1:2:3:4:5:6:7:8:9", ":::",
        ])
    func refusesWhatIsNoAddress(text: String) {
        let address: IPAddress? = .init(text)
        #expect(address == nil)
    }

    @Test func knowsTheKindsThatAreNoTask() {
        #expect(IPAddress("127.8.0.1").isLoopback && IPAddress("::1").isLoopback && !IPAddress("128.0.0.1").isLoopback)
        #expect(IPAddress("0.0.0.0").isUnspecified && IPAddress("::").isUnspecified)
        #expect(IPAddress("224.0.0.1").isMulticast && IPAddress("239.255.255.255").isMulticast)
        #expect(IPAddress("ff02::1").isMulticast && !IPAddress("fe80::1").isMulticast)
        #expect(
            IPAddress("fe80::1").isLinkLocal && IPAddress("febf::1").isLinkLocal && !IPAddress("fec0::1").isLinkLocal)
        #expect(IPAddress("::ffff:10.0.0.1").isIPv4Mapped && !IPAddress("::10.0.0.1").isIPv4Mapped)
        #expect(IPAddress("255.255.255.255").isReserved && IPAddress("240.0.0.1").isReserved)
    }

    @Test func givesItsNumberBack() {
        #expect(IPAddress(ipv4: 0x7F00_0001).ipv4 == 0x7F00_0001 && IPAddress(ipv4: 1).ipv6 == nil)
        #expect(IPAddress("::1").ipv6 == 1 && IPAddress("::1").ipv4 == nil)
    }

    @Test func sortsByNumberAndNotByText() {
        let sorted: [IPAddress] = ["10.0.0.10", "fd00::1", "10.0.0.9"].sorted()
        #expect(sorted == ["10.0.0.9", "10.0.0.10", "fd00::1"])
    }
}
