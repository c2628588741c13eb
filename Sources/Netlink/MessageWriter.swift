import CNetlink

/// Writes netlink messages one behind the other into one growing buffer, ready to be sent as they lie.
///
/// Type, sequence number and the wish for an acknowledgement are filled in when a message is sent: only the
/// connection knows them.
package struct MessageWriter: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0
    /// Where each message begins.
    private(set) var offsets: [Int] = []

    package init(capacity: Int = 4096) {
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
    package mutating func message(
        command: UInt8, version: UInt8, flags: UInt16 = 0, _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        let start = count
        offsets.append(start)
        let headers = NetlinkHeader.size + GenericNetlinkHeader.size
        ensure(headers)
        (base + start).initializeMemory(as: UInt8.self, repeating: 0, count: headers)
        base.storeBytes(of: flags | NetlinkFlags.request, toByteOffset: start + 6, as: UInt16.self)
        base.storeBytes(of: command, toByteOffset: start + NetlinkHeader.size, as: UInt8.self)
        base.storeBytes(of: version, toByteOffset: start + NetlinkHeader.size + 1, as: UInt8.self)
        count += headers
        body(&self)
        base.storeBytes(of: UInt32(count - start), toByteOffset: start, as: UInt32.self)
    }

    package mutating func nest(_ type: Int, _ body: (inout MessageWriter) -> Void) {
        let start = count
        header(type | Int(NLA_F_NESTED), payload: 0)
        body(&self)
        base.storeBytes(of: UInt16(count - start), toByteOffset: start, as: UInt16.self)
    }

    package mutating func put(_ type: Int, _ value: some FixedWidthInteger & BitwiseCopyable) {
        withUnsafeBytes(of: value) { put(type, bytes: $0) }
    }

    package mutating func put(_ type: Int, bigEndian value: some FixedWidthInteger & BitwiseCopyable) {
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

    private mutating func header(_ type: Int, payload: Int) {
        ensure(4 + aligned(payload))
        base.storeBytes(of: UInt16(4 + payload), toByteOffset: count, as: UInt16.self)
        base.storeBytes(of: UInt16(type), toByteOffset: count + 2, as: UInt16.self)
        count += 4
    }

    private mutating func ensure(_ more: Int) {
        guard count + more > capacity else { return }
        capacity = Swift.max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 4)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
    }
}
