extension MessageWriter {
    /// Appends one message with a header as a C struct, as all families but generic netlink have; `body` writes its
    /// attributes.
    mutating func message(
        _ type: UInt16, header: some BitwiseCopyable, flags: UInt16 = 0,
        _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        let start = count
        ensure(NetlinkHeader.size)
        let bytes = base + start
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: NetlinkHeader.size)
        bytes.storeBytes(of: type, toByteOffset: 4, as: UInt16.self)
        bytes.storeBytes(of: flags | NetlinkFlags.request, toByteOffset: 6, as: UInt16.self)
        bytes.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
        last = start
        sequence &+= 1
        count += NetlinkHeader.size
        append(header)
        body(&self)
        base.storeBytes(of: UInt32(count - start), toByteOffset: start, as: UInt32.self)
    }
}
