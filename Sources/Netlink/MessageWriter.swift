import CNetlink

/// Writes netlink messages one behind the other into one growing buffer, ready to be sent as they lie.
///
/// Type, sequence number and the wish for an acknowledgement are filled in when a message is sent: only the
/// connection knows them.
///
/// What writes is inlinable: a message is a dozen attributes of a few bytes each, and a call of unspecialised code
/// for each of them costs more than the kernel takes to carry the message out. For that it is public, though nobody
/// outside this package has use for it and the module is no product: the compiler (6.3) takes nothing into another
/// module that is marked `@inlinable package`.
public struct MessageWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var count = 0
    /// Where each message begins.
    @usableFromInline var offsets: [Int] = []

    /// - Parameter capacity: bytes; the buffer grows beyond that as it must.
    public init(capacity: Int = 4096) {
        self.capacity = Swift.max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 4)
    }

    deinit { base.deallocate() }

    package var messageCount: Int { offsets.count }

    var bytes: UnsafeMutableRawBufferPointer { .init(start: base, count: count) }

    /// Fills in what only the connection knows, in place, and gives the run of messages as it goes to the kernel.
    func prepare(
        _ range: Range<Int>, family: UInt16, firstSequence: UInt32, acknowledgeLast: Bool
    ) -> UnsafeMutableRawBufferPointer {
        var sequence = firstSequence
        for offset in offsets[range] {
            base.storeBytes(of: family, toByteOffset: offset + 4, as: UInt16.self)
            base.storeBytes(of: sequence, toByteOffset: offset + 8, as: UInt32.self)
            sequence &+= 1
        }
        if acknowledgeLast, let last = range.last.map({ offsets[$0] }) {
            let flags = base.load(fromByteOffset: last + 6, as: UInt16.self)
            base.storeBytes(of: flags | NetlinkFlags.acknowledge, toByteOffset: last + 6, as: UInt16.self)
        }
        let end = range.upperBound < offsets.count ? offsets[range.upperBound] : count
        return .init(rebasing: bytes[offsets[range.lowerBound]..<end])
    }

    /// Room for messages whose number is known before they are written.
    package mutating func reserve(messages: Int, bytesEach: Int) {
        offsets.reserveCapacity(offsets.count + messages)
        ensure(messages * bytesEach)
    }

    /// Appends one generic netlink message; `body` writes its attributes.
    @inlinable public mutating func message(
        command: UInt8, version: UInt8, flags: UInt16 = 0, _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        let start = count
        offsets.append(start)
        let headers = NetlinkHeader.size + GenericNetlinkHeader.size
        ensure(headers)
        let header = base + start
        header.storeBytes(of: 0, as: UInt32.self)  // the length, once it is known
        header.storeBytes(of: 0, toByteOffset: 4, as: UInt16.self)
        header.storeBytes(of: flags | 1, toByteOffset: 6, as: UInt16.self)  // NLM_F_REQUEST
        header.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
        header.storeBytes(of: command, toByteOffset: NetlinkHeader.size, as: UInt8.self)
        header.storeBytes(of: version, toByteOffset: NetlinkHeader.size + 1, as: UInt8.self)
        header.storeBytes(of: 0, toByteOffset: NetlinkHeader.size + 2, as: UInt16.self)
        count += headers
        body(&self)
        base.storeBytes(of: UInt32(count - start), toByteOffset: start, as: UInt32.self)
    }

    /// Appends an attribute that holds what `body` writes.
    @inlinable public mutating func nest(_ type: Int, _ body: (inout MessageWriter) -> Void) {
        let start = count
        header(type | 0x8000, payload: 0)  // NLA_F_NESTED
        body(&self)
        base.storeBytes(of: UInt16(count - start), toByteOffset: start, as: UInt16.self)
    }

    /// Appends a number in the host's byte order.
    @inlinable public mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Int, _ value: Number) {
        let size = MemoryLayout<Number>.size
        header(type, payload: size)
        // The padding of what is shorter than the four bytes that attributes are aligned to.
        if size < 4 { base.storeBytes(of: 0, toByteOffset: count, as: UInt32.self) }
        base.storeBytes(of: value, toByteOffset: count, as: Number.self)
        count += aligned(size)
    }

    /// Appends a number in network byte order.
    @inlinable public mutating func put(_ type: Int, bigEndian value: some FixedWidthInteger & BitwiseCopyable) {
        put(type, value.bigEndian)
    }

    /// A string attribute; the kernel's policies want the NUL.
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

    @inlinable @inline(__always) mutating func header(_ type: Int, payload: Int) {
        ensure(4 + aligned(payload))
        base.storeBytes(of: UInt16(4 + payload), toByteOffset: count, as: UInt16.self)
        base.storeBytes(of: UInt16(type), toByteOffset: count + 2, as: UInt16.self)
        count += 4
    }

    @inlinable @inline(__always) mutating func ensure(_ more: Int) {
        if count + more > capacity { grow(more) }
    }

    @usableFromInline mutating func grow(_ more: Int) {
        capacity = Swift.max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 4)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
    }
}
