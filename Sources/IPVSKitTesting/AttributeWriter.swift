import IPVSKit

/// Writes attributes as the kernel does, which does not set the flag `NLA_F_NESTED` on nests.
struct AttributeWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ type: Int, bytes payload: [UInt8]) {
        bytes += Bytes.of(UInt16(4 + payload.count)) + Bytes.of(UInt16(type)) + payload
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func put(_ type: Int, _ value: some FixedWidthInteger & BitwiseCopyable) {
        put(type, bytes: Bytes.of(value))
    }

    mutating func put(_ type: Int, string: String) { put(type, bytes: Array(string.utf8) + [0]) }

    /// Writes 16 bytes for either family, as the kernel's `union nf_inet_addr` has them.
    mutating func put(_ type: Int, _ address: IPAddress) {
        switch address.storage {
        case .ipv4(let number): put(type, bytes: Bytes.of(number.bigEndian) + [UInt8](repeating: 0, count: 12))
        case .ipv6(let number): put(type, bytes: Bytes.of(number.bigEndian))
        }
    }

    mutating func nest(_ type: Int, _ body: (inout AttributeWriter) -> Void) {
        var nest = AttributeWriter()
        body(&nest)
        put(type, bytes: nest.bytes)
    }

    static func written(_ body: (inout AttributeWriter) -> Void) -> [UInt8] {
        var writer = AttributeWriter()
        body(&writer)
        return writer.bytes
    }
}
