import Testing

@testable import IPVSKit

/// The older interface's answers, as bytes in the layout of `linux/ip_vs.h`.
@Suite struct SocketReadingTests {
    /// `struct ip_vs_get_services`, and its entries up to their counters.
    private enum Services { static let (header, entry, beforeCounters) = (8, 104, 48) }
    /// `struct ip_vs_get_dests`, likewise.
    private enum Destinations { static let (header, entry, beforeCounters) = (24, 96, 24) }

    /// One service by firewall mark, and room for another that the kernel did not write.
    private static func services(destinations: UInt8) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Services.header + 2 * Services.entry)
        bytes[Services.header + 12] = 5  // fwmark
        bytes.replaceSubrange(Services.header + 16..<Services.header + 19, with: "wlc".utf8)
        bytes[Services.header + 32] = 3  // flags: persistent, and hashed
        bytes[Services.header + 36] = 60  // timeout
        bytes.replaceSubrange(Services.header + 40..<Services.header + 44, with: [255, 255, 255, 0])
        bytes[Services.header + 44] = destinations
        return bytes
    }

    /// 10.0.0.1:80 and 10.0.0.2:80.
    private static func destinations() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Destinations.header + 2 * Destinations.entry)
        for (number, start) in [(1, Destinations.header), (2, Destinations.header + Destinations.entry)] {
            bytes.replaceSubrange(start..<start + 6, with: [10, 0, 0, UInt8(number), 0, 80])
            bytes[start + 12] = UInt8(7 * number)  // weight
        }
        return bytes
    }

    private static func reading(_ services: [UInt8], _ destinations: [UInt8]) -> SocketReading {
        var reading = SocketReading()
        services.withUnsafeBytes { reading.take(services: $0) }
        destinations.withUnsafeBytes { reading.take(destinations: $0) }
        return reading
    }

    @Test func theValuesAreThoseOfTheKernel() {
        let values = Self.reading(Self.services(destinations: 2), Self.destinations()).values()
        let service = VirtualService(
            id: .firewallMark(5, .ipv4), scheduler: .weightedLeastConnection,
            persistence: .init(timeoutSeconds: 60, netmask: .mask(0xFFFF_FF00)))
        let destinations = [
            Destination("10.0.0.1", port: 80, weight: 7), Destination("10.0.0.2", port: 80, weight: 14),
        ]
        #expect(values.map(\.entry) == [Table.Entry(service, destinations: destinations)])
        #expect(values.map(\.isWhole) == [true])
    }

    @Test func whatItCannotTellAllAboutIsNotWhole() {
        var tunnel = Self.destinations()
        tunnel[Destinations.header + 8] = 2  // IP_VS_CONN_F_TUNNEL
        var missing = Self.destinations()
        missing.replaceSubrange((missing.count - Destinations.entry)..., with: [UInt8](repeating: 0, count: 96))
        for destinations in [tunnel, missing] {
            #expect(Self.reading(Self.services(destinations: 2), destinations).values().map(\.isWhole) == [false])
        }
        // The header announces more entries than the kernel wrote.
        #expect(Self.reading(Self.services(destinations: 9), tunnel).values().map(\.isWhole) == [false])
        #expect(Self.reading(Self.services(destinations: 0), []).values().map(\.isWhole) == [true])
    }

    /// Traffic does not make two readings differ, and every setting does.
    @Test func readingsDifferByAllButTheCounters() {
        let (services, destinations) = (Self.services(destinations: 2), Self.destinations())
        let reading = Self.reading(services, destinations)
        for offset in 0..<Services.entry {
            var other = services
            other[Services.header + offset] ^= 0x80
            let isEqual = Self.reading(other, destinations) == reading
            #expect(isEqual == (offset >= Services.beforeCounters), "byte \(offset) of a service")
        }
        for offset in 0..<Destinations.entry {
            var other = destinations
            other[Destinations.header + Destinations.entry + offset] ^= 0x80
            let isEqual = Self.reading(services, other) == reading
            #expect(isEqual == (offset >= Destinations.beforeCounters), "byte \(offset) of a destination")
        }
        #expect(Self.reading(services, Array(destinations.dropLast(Destinations.entry))) != reading)
    }
}
