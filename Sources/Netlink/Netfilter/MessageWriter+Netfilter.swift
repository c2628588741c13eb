extension MessageWriter {
    /// Appends one netfilter message (`struct nfgenmsg`); `body` writes its attributes.
    ///
    /// - Parameters:
    ///   - type: the subsystem in the upper byte, the message in the lower one.
    ///   - resource: `res_id`; only the ends of a batch have one.
    package mutating func netfilterMessage(
        _ type: UInt16, family: UInt8, flags: UInt16 = 0, resource: UInt16 = 0,
        _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        let start = count
        // Of the same size as the generic header: family and version stand where command and version do there.
        message(command: family, version: 0, flags: flags, body)
        base.storeBytes(of: type, toByteOffset: start + 4, as: UInt16.self)
        base.storeBytes(of: resource.bigEndian, toByteOffset: start + 18, as: UInt16.self)
    }

    /// Numbers the messages, from 1, and asks for an answer to the last but `trailing`.
    func number(acknowledging trailing: Int?) {
        for (index, offset) in offsets.enumerated() {
            base.storeBytes(of: UInt32(index + 1), toByteOffset: offset + 8, as: UInt32.self)
        }
        guard let trailing, offsets.count > trailing else { return }
        let last = offsets[offsets.count - 1 - trailing] + 6
        let flags = base.load(fromByteOffset: last, as: UInt16.self)
        base.storeBytes(of: flags | NetlinkFlags.acknowledge, toByteOffset: last, as: UInt16.self)
    }
}
