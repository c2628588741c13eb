import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct AddressPoolTests {
    /// A /29 has six hosts, of which the gateway is one.
    @Test func everyAddressIsGivenOnceFromTheLowest() {
        var pool = AddressPool("10.0.1.0/29", used: [] as [IPAddress])
        var given: [IPAddress] = []
        while let address = pool.take() { given.append(address) }
        #expect(given == ["10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5", "10.0.1.6"])
        #expect(pool.count == 5)
    }

    /// An IPv6 network has no broadcast address.
    @Test func theLastAddressOfIPv6IsGiven() {
        let used = (2..<255).map { IPAddress(ipv6: 0xFD25 << 112 | $0) }
        var pool = AddressPool("fd25::/120", used: used)
        #expect(pool.take() == "fd25::ff")
        #expect(pool.take() == nil && pool.count == 254)
    }

    @Test func aGapIsFilledFirst() {
        var pool = AddressPool("10.0.1.0/24", used: ["10.0.1.2", "10.0.1.4", "10.0.2.3"])
        #expect(pool.take() == "10.0.1.3")
        #expect(pool.take() == "10.0.1.5")
        #expect(pool.count == 4, "addresses of other networks do not count")
    }

    @Test func whatIsSparedIsGivenLast() {
        var pool = AddressPool("10.0.1.0/29", used: ["10.0.1.3"], sparing: ["10.0.1.2", "10.0.1.5"])
        var given: [IPAddress] = []
        while let address = pool.take() { given.append(address) }
        #expect(given == ["10.0.1.4", "10.0.1.6", "10.0.1.2", "10.0.1.5"])
    }

    @Test func theEndOfAllAddresses() {
        #expect(IPAddress(ipv4: .max).successor == nil && IPAddress(ipv6: .max).successor == nil)
        #expect(IPPrefix("255.255.255.0/24").following == nil)
        #expect(IPPrefix("10.0.255.0/24").following == "10.1.0.0/24")
    }
}
