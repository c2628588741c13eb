import Testing

@testable import Netlink

@Suite struct MessageWriterTests {
    @Test func writesAMessageAsTheKernelReadsIt() {
        var writer = MessageWriter()
        writer.message(command: 4, version: 1, flags: NetlinkFlags.dump) { message in
            message.nest(1) {
                $0.put(1, UInt16(2))
                $0.put(6, string: "rr")
                $0.put(4, bigEndian: UInt16(80))
            }
        }
        let bytes = writer.prepare(0..<1, family: 0x1F, firstSequence: 7, acknowledgeLast: false)
        #expect(
            Array(bytes) == [
                48, 0, 0, 0, 0x1F, 0, 0x01, 0x03, 7, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr: request, dump
                4, 1, 0, 0,  // genlmsghdr
                28, 0, 1, 0x80,  // a nest
                6, 0, 1, 0, 2, 0, 0, 0,
                7, 0, 6, 0, 0x72, 0x72, 0, 0,
                6, 0, 4, 0, 0, 80, 0, 0,
            ])
    }

    @Test func asksForAnAcknowledgementOfTheLastOfAWindowOnly() {
        var writer = MessageWriter(capacity: 64)
        for command in 1...5 { writer.message(command: UInt8(command), version: 1) }
        let bytes = writer.prepare(1..<4, family: 0x1F, firstSequence: 100, acknowledgeLast: true)
        var rest = UnsafeRawBufferPointer(bytes)
        var headers: [NetlinkHeader] = []
        while let header = NetlinkHeader(rest) {
            headers.append(header)
            rest = UnsafeRawBufferPointer(rebasing: rest[header.length...])
        }
        #expect(headers.map(\.sequence) == [100, 101, 102])
        #expect(headers.map { $0.flags & NetlinkFlags.acknowledge != 0 } == [false, false, true])
    }

    @Test func growsAndKeepsWhatWasWritten() {
        var writer = MessageWriter(capacity: 1)
        for index in 0..<1_000 { writer.message(command: 1, version: 1) { $0.put(1, UInt32(index)) } }
        #expect(writer.messageCount == 1_000)
        let last = writer.prepare(999..<1_000, family: 1, firstSequence: 0, acknowledgeLast: false)
        #expect(last.loadUnaligned(fromByteOffset: 24, as: UInt32.self) == 999)
    }
}
