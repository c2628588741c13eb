extension MessageWriter {
    /// Appends a C struct without an attribute header, as it stands before the attributes of a message and of some
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
