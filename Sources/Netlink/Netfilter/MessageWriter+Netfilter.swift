/// `struct nfgenmsg`.
private struct NetfilterHeader: BitwiseCopyable {
    var family: UInt8
    var version: UInt8 = 0
    var resource: UInt16
}

extension MessageWriter {
    /// Appends one netfilter message; `body` writes its attributes.
    ///
    /// - Parameters:
    ///   - type: the subsystem in the upper byte and the message in the lower one.
    ///   - resource: `res_id`, which only the beginning and the end of a batch have.
    package mutating func netfilterMessage(
        _ type: UInt16, family: UInt8, flags: UInt16 = 0, resource: UInt16 = 0,
        _ body: (inout MessageWriter) -> Void = { _ in }
    ) {
        message(type, header: NetfilterHeader(family: family, resource: resource.bigEndian), flags: flags, body)
    }
}
