import CNetlink

/// The attributes of a message or of a nest, read in place.
///
/// Nothing is copied or allocated. Every length that the kernel states is checked against the received bytes.
/// Attributes of unknown types are returned like any other; skipping them is the caller's choice.
///
/// The value is valid only as long as the buffer that contains the bytes, which is for the duration of the receive
/// handler.
package struct Attributes: Sequence, IteratorProtocol {
    @usableFromInline var rest: UnsafeRawBufferPointer
    /// Whether an attribute claimed more bytes than there are. Iteration ends there.
    package private(set) var isTruncated = false

    @inlinable package init(_ bytes: UnsafeRawBufferPointer) {
        rest = bytes
    }

    package mutating func next() -> Attribute? {
        let headerSize = 4
        guard rest.count >= headerSize, let base = rest.baseAddress else {
            // Up to three bytes of padding may follow the last attribute. Anything else is a truncated header.
            isTruncated = isTruncated || rest.contains { $0 != 0 }
            return nil
        }
        let length = Int(base.loadUnaligned(as: UInt16.self))
        let type = base.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        guard length >= headerSize, length <= rest.count else {
            isTruncated = true
            rest = UnsafeRawBufferPointer(start: nil, count: 0)
            return nil
        }
        let payload = UnsafeRawBufferPointer(start: base + headerSize, count: length - headerSize)
        let advance = Swift.min(aligned(length), rest.count)
        rest = UnsafeRawBufferPointer(start: base + advance, count: rest.count - advance)
        return Attribute(type: type & Attribute.typeMask, bytes: payload)
    }
}

extension Attributes {
    /// The first attribute of a type among the remaining ones.
    package func first(_ type: Int) -> Attribute? {
        var attributes = self
        while let attribute = attributes.next() {
            if Int(attribute.type) == type { return attribute }
        }
        return nil
    }
}

/// One attribute: its type without the nesting and byte-order bits, and its payload in place.
package struct Attribute {
    /// The kernel's `NLA_TYPE_MASK`.
    static let typeMask: UInt16 = 0x3FFF

    package let type: UInt16
    package let bytes: UnsafeRawBufferPointer

    package var uint8: UInt8? { load() }
    package var uint16: UInt16? { load() }
    package var uint32: UInt32? { load() }
    package var uint64: UInt64? { load() }
    /// A number in network byte order, converted to the host's.
    package var bigEndianUInt16: UInt16? { load().map(UInt16.init(bigEndian:)) }
    package var bigEndianUInt32: UInt32? { load().map(UInt32.init(bigEndian:)) }

    /// The text up to the first NUL, or to the end if there is none.
    package var string: String {
        // This is a loop because prefix(while:) allocates memory for each byte in builds that are not optimised.
        var end = 0
        while end < bytes.count, bytes[end] != 0 { end += 1 }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<end]), as: UTF8.self)
    }

    /// A copy of the payload.
    package var array: [UInt8] { Array(bytes) }

    package var nested: Attributes { Attributes(bytes) }

    /// Reads a number, or nil if the payload is too short. Payloads are aligned to four bytes only, whatever their
    /// type.
    private func load<T: FixedWidthInteger & BitwiseCopyable>() -> T? {
        guard bytes.count >= MemoryLayout<T>.size else { return nil }
        return bytes.loadUnaligned(as: T.self)
    }
}

/// Netlink aligns messages and attributes to four bytes (`NLMSG_ALIGNTO`, `NLA_ALIGNTO`).
@inlinable public func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
