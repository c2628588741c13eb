import CNetlink

extension MessageWriter {
    /// Appends one message with a header as a C struct, as all families but generic netlink have; `body` writes its
    /// attributes. Its type is filled in when it is sent.
    mutating func message(
        header: some BitwiseCopyable, flags: UInt16, _ body: (inout MessageWriter) -> Void
    ) {
        let start = count
        offsets.append(start)
        ensure(NetlinkHeader.size)
        (base + start).initializeMemory(as: UInt8.self, repeating: 0, count: NetlinkHeader.size)
        base.storeBytes(of: flags | NetlinkFlags.request, toByteOffset: start + 6, as: UInt16.self)
        count += NetlinkHeader.size
        append(header)
        body(&self)
        base.storeBytes(of: UInt32(count - start), toByteOffset: start, as: UInt32.self)
    }

    /// Appends a C struct without an attribute's header: what stands before the attributes of a message, and of some
    /// nests.
    package mutating func append<Struct: BitwiseCopyable>(_ value: Struct) {
        let padded = aligned(MemoryLayout<Struct>.size)
        ensure(padded)
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: padded)
        base.storeBytes(of: value, toByteOffset: count, as: Struct.self)
        count += padded
    }

    package mutating func put(_ type: Int, bytes: [UInt8]) {
        bytes.withUnsafeBytes { put(type, bytes: $0) }
    }
}
