import Testing

@testable import IPVSKit

/// `/proc/net/ip_vs_stats` as kernels print it.
@Suite struct GlobalStatisticsTests {
    /// Linux 6.1.
    private static let captured = """
           Total Incoming Outgoing         Incoming         Outgoing
           Conns  Packets  Packets            Bytes            Bytes
               9       16        E              61B              391

         Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
               1        3        2               C3               72

        """

    @Test func whatWasCountedSinceAnEarlierLook() {
        var (earlier, now) = (Statistics(), Statistics())
        (earlier.connections, now.connections) = (5_000_000_000, 5_000_000_007)
        (earlier.incomingBytes, now.incomingBytes) = (100, 30)
        (earlier.connectionRate, now.connectionRate) = (9, 4)
        let increase = now.increase(since: earlier)
        #expect(increase.connections == 7)
        #expect(increase.incomingBytes == 30, "it began again at zero")
        #expect(increase.connectionRate == 4, "a rate is no counter")
        var all = Statistics()
        (all.incomingPackets, all.outgoingPackets, all.outgoingBytes) = (3, 4, 5)
        #expect(all.increase(since: Statistics()) == all)
        #expect(all.increase(since: all) == Statistics())
    }

    @Test func totalsAndRates() throws {
        let statistics = try #require(Statistics(globalFile: Self.captured))
        #expect(statistics.connections == 9)
        #expect(statistics.incomingPackets == 16 + 6 && statistics.outgoingPackets == 14)
        #expect(statistics.incomingBytes == 0x61B && statistics.outgoingBytes == 0x391)
        #expect(statistics.connectionRate == 1)
        #expect(statistics.incomingPacketRate == 3 && statistics.outgoingPacketRate == 2)
        #expect(statistics.incomingByteRate == 0xC3 && statistics.outgoingByteRate == 0x72)
    }

    @Test func numbersOf64BitsThatFillTheirColumns() throws {
        let text = Self.captured.replacing("       9       16", with: "FFFFFFFFFFFFFFFF       16")
        #expect(try #require(Statistics(globalFile: text)).connections == .max)
    }

    @Test func whatIsNotTheFileIsNothing() {
        #expect(Statistics(globalFile: "") == nil)
        #expect(Statistics(globalFile: "1 2 3 4 5\n") == nil)
        #expect(Statistics(globalFile: "1 2 3 4 5\n1 2 3 4 5\n1 2 3 4 5\n") == nil)
        #expect(Statistics(globalFile: "1 2 3 4 5\n1 2 3 4 10000000000000000\n") == nil)
        #expect(Statistics(globalFile: Self.captured.replacing("C3", with: "")) == nil)
    }
}
