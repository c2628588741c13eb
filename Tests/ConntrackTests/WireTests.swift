import CConntrack
import IPVSKit
import Testing

@testable import Conntrack

/// The messages, against what Linux 6.1 sent and takes.
@Suite struct WireTests {
    /// A datagram to port 1053 of a node, which `REDIRECT --to-ports 53` takes to port 53; connection mark 0x102.
    private let ipv4 = bytes(
        """
        a40000000001220007000000e6020000 02000000
        34000180 14000180 080001000a010002 080002000a010001
                 1c000280 0500010011000000 060002009c400000 06000300041d0000
        34000280 14000180 080001000a010001 080002000a010002
                 1c000280 0500010011000000 0600020000350000 060003009c400000
        08000300000001a8 0800080000000102 08000c00230de650 08000b0000000001 080007000000001d
        """)
    private let ipv6 = bytes(
        """
        d40000000001220007000000e6020000 0a000000
        4c000180 2c000180 14000300fd010000000000000000000000000002 14000400fd010000000000000000000000000001
                 1c000280 0500010011000000 060002009c400000 06000300041d0000
        4c000280 2c000180 14000300fd010000000000000000000000000001 14000400fd010000000000000000000000000002
                 1c000280 0500010011000000 0600020000350000 060003009c400000
        08000300000001a8 0800080000000000 08000c0018983d0d 08000b0000000001 080007000000001d
        """)
    private let done = bytes("140000000300020007000000e6020000 00000000")

    @Test func anEntryIsRead() throws {
        let (length, reply) = read(ipv4 + done)
        #expect(length == ipv4.count)
        #expect(reply.kind == CConntrackReplyEntry)
        #expect(reply.sequence == 7)
        #expect(reply.entry.id == 0x230d_e650)
        #expect(
            Flow(reply.entry)
                == Flow(
                    protocol: .udp,
                    original: .init(source: .init("10.1.0.2", port: 40000), destination: .init("10.1.0.1", port: 1053)),
                    reply: .init(source: .init("10.1.0.1", port: 53), destination: .init("10.1.0.2", port: 40000)),
                    mark: 0x102,
                    // 0x1a8: with IPS_SRC_NAT_DONE and IPS_DST_NAT_DONE, which have no names here.
                    status: [.confirmed, .destinationNAT, .init(rawValue: 0x180)], expiresInSeconds: 29))
    }

    @Test func anEntryOfIPv6IsRead() {
        let (length, reply) = read(ipv6)
        #expect(length == ipv6.count)
        let flow = Flow(reply.entry)
        #expect(flow.family == .ipv6)
        #expect("\(flow)" == "UDP [fd01::2]:40000 -> [fd01::1]:1053, reply [fd01::1]:53 -> [fd01::2]:40000, 29s")
    }

    @Test func endsAndAnswersAreRead() {
        #expect(read(done).reply.kind == CConntrackReplyDone)
        let refused = Self.bytes("24000000020000010900000003020000 feffffff 58000000010200000900000000000000")
        let (length, reply) = read(refused)
        #expect(length == 36)
        #expect(reply.kind == CConntrackReplyAnswer)
        #expect(reply.sequence == 9)
        #expect(reply.error == 2)
    }

    /// Whatever is cut off or claims more than there is, is refused and not read past.
    @Test func whatIsCutShortIsRefused() {
        for whole in [ipv4, ipv6, done] {
            for count in 0..<whole.count { #expect(read(Array(whole[..<count])).length == 0, "\(count) bytes") }
        }
        var short = ipv4
        short[0] = 15  // less than a header
        #expect(read(short).length == 0)
        var overlong = ipv4
        overlong[20] = 0xFF  // the first attribute
        #expect(read(overlong).length == 0)
        // A header that says there is nothing behind it.
        #expect(read(Self.bytes("10000000000122000700000000000000")).length == 0)
    }

    @Test func aDeletionNamesTupleAndId() {
        var entry = read(ipv4).reply.entry
        #expect(
            build { CConntrack_build_delete($0, 9, &entry) }
                == Self.bytes(
                    """
                    50000000020101000900000000000000 02000000
                    34000180 14000180 080001000a010002 080002000a010001
                             1c000280 0500010011000000 060002009c400000 06000300041d0000
                    08000c00230de650
                    """))
        // In a zone, of both directions or of one.
        entry.zone = 7
        let zoned = build { CConntrack_build_delete($0, 9, &entry) }
        #expect(zoned.count == 88)
        #expect(zoned.suffix(16) == Self.bytes("0600120000070000 08000c00230de650"))
        entry = read(ipv6).reply.entry
        entry.original_zone = 7
        #expect(build { CConntrack_build_delete($0, 9, &entry) }.count == 20 + 84 + 8)
    }

    @Test func aDumpHasAFilter() {
        let request = DumpRequest(
            family: .ipv4, protocol: 17, originalDestinationPort: 1053, replySource: "10.11.0.2", replySourcePort: 53)
        #expect(
            build { request.build(into: $0, sequence: 7) }
                == Self.bytes(
                    """
                    90000000010101030700000000000000 02000000
                    34000180 14000180 0800010000000000 0800020000000000
                             1c000280 0500010011000000 0600020000000000 06000300041d0000
                    34000280 14000180 080001000a0b0002 0800020000000000
                             1c000280 0500010011000000 0600020000350000 0600030000000000
                    14001980 0800010028000000 0800020019000000
                    """))
        #expect(
            build { request.build(into: $0, sequence: 7, filters: false) }
                == Self.bytes("14000000010101030700000000000000 02000000"))
        // The longest there is stays within its buffer: `build` looks behind it.
        let longest = DumpRequest(family: .ipv6, protocol: 17, originalDestinationPort: 1, replySourcePort: 2)
        #expect(build { longest.build(into: $0, sequence: 7) }.count == 20 + 76 + 76 + 20)
        // Of a protocol without ports there is nothing but its number.
        let other = DumpRequest(family: .ipv6, protocol: 50)
        #expect(
            build { other.build(into: $0, sequence: 7) }.suffix(24)
                == Self.bytes(
                    "0c000280 0500010032000000 0c001980 0800010008000000"))
    }

    private func read(_ bytes: [UInt8]) -> (length: Int, reply: CConntrackReply) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: bytes)
        var reply = CConntrackReply()
        // An empty buffer may have no address.
        guard let base = UnsafeRawPointer(buffer.baseAddress) else { return (0, reply) }
        return (CConntrack_read(base, bytes.count, &reply), reply)
    }

    private func build(_ body: (UnsafeMutableRawPointer) -> Int) -> [UInt8] {
        let size = Int(CConntrack_MESSAGE_SIZE)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 64, alignment: 8)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0xAA)
        let length = body(buffer.baseAddress!)
        #expect(buffer[size...].allSatisfy { $0 == 0xAA })
        return Array(buffer[..<length])
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
