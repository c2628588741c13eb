import Testing

@testable import Netlink

@Suite struct MessageWriterTests {
    @Test func writesAMessageAsTheKernelReadsIt() {
        var writer = MessageWriter()
        writer.empty(family: 0x1F, sequence: 7)
        writer.message(command: 4, version: 1, flags: NetlinkFlags.dump) { message in
            message.nest(1) {
                $0.put(1, UInt16(2))
                $0.put(6, string: "rr")
                $0.put(4, bigEndian: UInt16(80))
            }
        }
        #expect(
            Array(writer.bytes) == [
                48, 0, 0, 0, 0x1F, 0, 0x01, 0x03, 7, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr: request, dump
                4, 1, 0, 0,  // genlmsghdr
                28, 0, 1, 0x80,  // a nest
                6, 0, 1, 0, 2, 0, 0, 0,
                7, 0, 6, 0, 0x72, 0x72, 0, 0,
                6, 0, 4, 0, 0, 80, 0, 0,
            ])
    }

    @Test func numbersMessagesAndAsksForAnAcknowledgementOfTheLast() {
        var writer = MessageWriter(capacity: 64)
        writer.empty(family: 0x1F, sequence: .max)
        for command in 1...3 { writer.message(command: UInt8(command), version: 1) { $0.put(1, UInt32(command)) } }
        writer.acknowledgeLast()
        let headers = headers(writer.bytes)
        #expect(headers.map(\.sequence) == [.max, 0, 1])
        #expect(headers.map(\.type) == [0x1F, 0x1F, 0x1F])
        #expect(headers.map { $0.flags & NetlinkFlags.acknowledge != 0 } == [false, false, true])
    }

    /// One writer serves one window after the other, and nothing of the last one may be sent again.
    @Test func startsAnewWhereItWasEmptied() {
        var writer = MessageWriter()
        writer.empty(family: 0x1F, sequence: 1)
        for _ in 0..<10 { writer.message(command: 1, version: 1) { $0.put(1, UInt64.max) } }
        writer.acknowledgeLast()
        writer.empty(family: 0x20, sequence: 50)
        #expect(writer.bytes.isEmpty)
        writer.message(command: 2, version: 1)
        #expect(
            Array(writer.bytes) == [
                20, 0, 0, 0, 0x20, 0, 0x01, 0, 50, 0, 0, 0, 0, 0, 0, 0,
                2, 1, 0, 0,
            ])
    }

    @Test func growsAndKeepsWhatWasWritten() {
        var writer = MessageWriter(capacity: 1)
        writer.empty(family: 1, sequence: 0)
        for index in 0..<1_000 { writer.message(command: 1, version: 1) { $0.put(1, UInt32(index)) } }
        #expect(headers(writer.bytes).count == 1_000)
        for index in [0, 1, 500, 999] {
            #expect(writer.bytes.loadUnaligned(fromByteOffset: index * 28 + 24, as: UInt32.self) == index)
        }
    }

    private func headers(_ bytes: UnsafeRawBufferPointer) -> [NetlinkHeader] {
        var rest = bytes
        var headers: [NetlinkHeader] = []
        while let header = NetlinkHeader(rest) {
            headers.append(header)
            rest = UnsafeRawBufferPointer(rebasing: rest[header.length...])
        }
        return headers
    }

    struct OddHeader: BitwiseCopyable {
        var family: UInt8 = 2
        var scope: UInt8 = 3
        var index: UInt16 = 0x0504
        var last: UInt8 = 6
    }

    @Test func writesAHeaderPaddedAndAttributesBehindIt() {
        var writer = MessageWriter(capacity: 64)
        writer.empty(family: 0, sequence: 5)
        writer.message(0x12, header: OddHeader(), flags: 0x400) { message in
            message.nest(2) {
                $0.append(UInt8(9))
                $0.put(1, bytes: [7, 8])
            }
        }
        writer.acknowledgeLast()
        #expect(
            Array(writer.bytes) == [
                40, 0, 0, 0, 0x12, 0, 0x05, 0x04, 5, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr: request, acknowledge, create
                2, 3, 4, 5, 6, 0, 0, 0,
                16, 0, 2, 0x80,  // a nest
                9, 0, 0, 0,
                6, 0, 1, 0, 7, 8, 0, 0,
            ])
    }
}
