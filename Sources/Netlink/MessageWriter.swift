import CNetlink

/// Writes netlink messages one after the other into one growing buffer, ready to be sent.
///
/// A connection has one writer and reuses it for every window. The buffer is a few kilobytes that stay in the
/// processor's cache, however many messages a call has.
///
/// The writing functions are inlinable: a message has a dozen attributes of a few bytes each, and a call of
/// unspecialised code for each of them would cost more than the kernel takes to carry the message out. For this the
/// type is public, although nothing outside this package needs it and the module is no product: the compiler (6.3) does
/// not inline functions marked `@inlinable package` into another module.
public struct MessageWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var count = 0
    /// The offset of the last message.
    @usableFromInline var last = 0
    @usableFromInline var family: UInt16 = 0
    /// The sequence number of the next message.
    @usableFromInline var sequence: UInt32 = 0

    /// - Parameter capacity: the initial size of the buffer in bytes. The buffer grows as needed.
    public init(capacity: Int = 16 * 1024) {
        self.capacity = Swift.max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// The bytes that were written since the writer was emptied.
    var bytes: UnsafeRawBufferPointer { .init(start: base, count: count) }

    /// Empties the writer.
    ///
    /// - Parameters:
    ///   - family: the type of the following messages.
    ///   - sequence: the sequence number of the next message. Each message has the next number.
    mutating func empty(family: UInt16, sequence: UInt32) {
        count = 0
        last = 0
        self.family = family
        self.sequence = sequence
    }

    /// Asks the kernel to answer the last message even if it succeeds.
    mutating func acknowledgeLast() {
        let flags = base.load(fromByteOffset: last + 6, as: UInt16.self)
        base.storeBytes(of: flags | NetlinkFlags.acknowledge, toByteOffset: last + 6, as: UInt16.self)
    }

    /// Appends one generic netlink message; `body` writes its attributes.
    @inlinable @inline(__always) public mutating func message(
        command: UInt8, version: UInt8, flags: UInt16 = 0, _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        ensure(NetlinkHeader.size + GenericNetlinkHeader.size)
        let start = count
        let header = base + start
        // The length is written when it is known.
        header.storeBytes(of: family, toByteOffset: 4, as: UInt16.self)
        header.storeBytes(of: flags | 1, toByteOffset: 6, as: UInt16.self)  // NLM_F_REQUEST
        header.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
        header.storeBytes(of: 0, toByteOffset: 12, as: UInt32.self)
        header.storeBytes(of: command, toByteOffset: NetlinkHeader.size, as: UInt8.self)
        header.storeBytes(of: version, toByteOffset: NetlinkHeader.size + 1, as: UInt8.self)
        header.storeBytes(of: 0, toByteOffset: NetlinkHeader.size + 2, as: UInt16.self)
        last = start
        sequence &+= 1
        count = start &+ NetlinkHeader.size &+ GenericNetlinkHeader.size
        body(&self)
        base.storeBytes(of: UInt32(truncatingIfNeeded: count &- start), toByteOffset: start, as: UInt32.self)
    }

    /// Appends an attribute that contains what `body` writes, which must be less than 64 KiB.
    @inlinable @inline(__always) public mutating func nest(_ type: Int, _ body: (inout MessageWriter) -> Void) {
        let start = count
        header(type | 0x8000, payload: 0)  // NLA_F_NESTED
        body(&self)
        // The conversion traps if the attribute is longer, because the kernel would take the rest for other attributes.
        base.storeBytes(of: UInt16(count &- start), toByteOffset: start, as: UInt16.self)
    }

    /// Appends a number in the host's byte order.
    @inlinable @inline(__always) public mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Int, _ value: Number
    ) {
        let size = MemoryLayout<Number>.size
        header(type, payload: size)
        // This writes the padding of numbers that are shorter than four bytes, to which attributes are aligned.
        if size < 4 { base.storeBytes(of: 0, toByteOffset: count, as: UInt32.self) }
        base.storeBytes(of: value, toByteOffset: count, as: Number.self)
        count &+= aligned(size)
    }

    /// Appends a number in network byte order.
    @inlinable @inline(__always) public mutating func put(
        _ type: Int, bigEndian value: some FixedWidthInteger & BitwiseCopyable
    ) {
        put(type, value.bigEndian)
    }

    /// Appends a string with a terminating NUL, which the kernel's policies require.
    package mutating func put(_ type: Int, string: String) {
        var string = string
        string.withUTF8 { text in
            header(type, payload: text.count + 1)
            (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: aligned(text.count + 1))
            if let source = text.baseAddress { (base + count).copyMemory(from: source, byteCount: text.count) }
            count += aligned(text.count + 1)
        }
    }

    package mutating func put(_ type: Int, bytes payload: UnsafeRawBufferPointer) {
        header(type, payload: payload.count)
        let padded = aligned(payload.count)
        if padded != payload.count {
            (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: padded)
        }
        if let source = payload.baseAddress { (base + count).copyMemory(from: source, byteCount: payload.count) }
        count += padded
    }

    /// Writes an attribute's header and makes room for its payload.
    @inlinable @inline(__always) mutating func header(_ type: Int, payload: Int) {
        ensure(4 &+ aligned(payload))
        base.storeBytes(of: UInt16(4 &+ payload), toByteOffset: count, as: UInt16.self)
        base.storeBytes(of: UInt16(type), toByteOffset: count &+ 2, as: UInt16.self)
        count &+= 4
    }

    // Sums of sizes in memory cannot overflow, and the checks would cost as much as the writing.
    @inlinable @inline(__always) mutating func ensure(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    @inline(never) @usableFromInline mutating func grow(_ more: Int) {
        capacity = Swift.max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
    }
}
