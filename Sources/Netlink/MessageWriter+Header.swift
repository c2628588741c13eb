extension MessageWriter {
    /// Appends one message that a library builds, header and all.
    ///
    /// - Parameters:
    ///   - size: how many bytes the library may write.
    ///   - build: gets where to write, aligned to four, and the sequence number that the message must have, and gives the
    ///     message's length.
    package mutating func message(upTo size: Int, _ build: (UnsafeMutableRawPointer, UInt32) -> Int) {
        ensure(aligned(size))
        let length = build(base + count, sequence)
        // As any allocation that fails ends the process in Swift.
        precondition(length >= NetlinkHeader.size && length <= size, "no memory to build a message")
        last = count
        count += aligned(length)
        sequence &+= 1
    }

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
