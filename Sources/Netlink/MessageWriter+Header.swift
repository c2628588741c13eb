extension MessageWriter {
    /// Appends one message that a library builds, including its header.
    ///
    /// - Parameters:
    ///   - size: the number of bytes that the library may write.
    ///   - build: receives the address to write to, aligned to four bytes, and the sequence number for the message.
    ///     Returns the message's length.
    package mutating func message(upTo size: Int, _ build: (UnsafeMutableRawPointer, UInt32) -> Int) {
        ensure(aligned(size))
        let length = build(base + count, sequence)
        // In Swift, any failed allocation ends the process, so this one does, too.
        precondition(length >= NetlinkHeader.size && length <= size, "no memory to build a message")
        last = count
        count += aligned(length)
        sequence &+= 1
    }

    /// Appends one message whose family header is a C struct, as in all families but generic netlink; `body` writes its
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
