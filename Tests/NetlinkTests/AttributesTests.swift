import TestSupport
import Testing

@testable import Netlink

@Suite struct AttributesTests {
    /// The attributes of some bytes, as (type, payload).
    private func read(_ bytes: [UInt8]) -> (found: [(UInt16, [UInt8])], isTruncated: Bool) {
        bytes.withUnsafeBytes { buffer in
            var attributes = Attributes(buffer)
            var found: [(UInt16, [UInt8])] = []
            while let attribute = attributes.next() { found.append((attribute.type, Array(attribute.bytes))) }
            return (found, attributes.isTruncated)
        }
    }

    @Test func yieldsEveryAttributeWithoutItsPadding() {
        let (found, isTruncated) = read([5, 0, 1, 0, 0xAA, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4])
        #expect(found.map(\.0) == [1, 2])
        #expect(found.map(\.1) == [[0xAA], [1, 2, 3, 4]])
        #expect(!isTruncated)
    }

    @Test func masksTheNestingAndByteOrderBits() {
        #expect(read([4, 0, 0x02, 0xC0]).found.map(\.0) == [2])
    }

    @Test func theLastAttributeNeedsNoPadding() {
        let (found, isTruncated) = read([5, 0, 1, 0, 0xAA])
        #expect(found.map(\.1) == [[0xAA]])
        #expect(!isTruncated)
    }

    @Test(
        "a length that cannot be ends the reading",
        arguments: [
            [0, 0, 1, 0],  // no length: would never advance
            [3, 0, 1, 0],  // shorter than its own header
            [9, 0, 1, 0, 1, 2, 3, 4],  // one byte more than there is
            [255, 255, 1, 0, 1],  // as long as can be
            [8, 0],  // half a header
        ] as [[UInt8]])
    func badLength(_ bytes: [UInt8]) {
        let (found, isTruncated) = read(bytes)
        #expect(found.isEmpty)
        #expect(isTruncated)
    }

    @Test func numbersThatAreTooShortReadAsNil() {
        [UInt8](arrayLiteral: 6, 0, 1, 0, 0x12, 0x34).withUnsafeBytes { buffer in
            var attributes = Attributes(buffer)
            let attribute = attributes.next()
            #expect(attribute?.uint16 == 0x3412)
            #expect(attribute?.bigEndianUInt16 == 0x1234)
            #expect(attribute?.uint32 == nil)
            #expect(attribute?.uint64 == nil)
        }
    }

    @Test func stringsEndAtTheNULOrAtTheEnd() {
        [UInt8](arrayLiteral: 7, 0, 1, 0, 0x72, 0x72, 0, 0).withUnsafeBytes { buffer in
            var attributes = Attributes(buffer)
            #expect(attributes.next()?.string == "rr")
        }
        [UInt8](arrayLiteral: 6, 0, 1, 0, 0x72, 0x72).withUnsafeBytes { buffer in
            var attributes = Attributes(buffer)
            #expect(attributes.next()?.string == "rr")
        }
    }

    /// Whatever the bytes: no trap, no endless loop, nothing outside the buffer.
    @Test(arguments: [UInt64(1), 2, 3, 4]) func randomBytesAreSafe(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                // Small numbers make plausible lengths.
                UInt8.random(in: 0...(Bool.random(using: &generator) ? 12 : 255), using: &generator)
            }
            let (found, _) = read(bytes)
            #expect(found.count <= bytes.count / 4)
            for (_, payload) in found { #expect(payload.count <= bytes.count) }
        }
    }
}
