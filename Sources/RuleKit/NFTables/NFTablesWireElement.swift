import CNFTables
import IPVSKit
import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// Writes an element of a set in the form of the kernel: a key, the end of the interval for sets of intervals, and the
/// value of the key.
///
/// An interval of a key with several parts has a second key, the last one in the interval. An interval of a key with
/// one part is two elements: the second has a flag, and the first key behind the interval. The second element is
/// missing if the interval ends with the largest key.
extension SetElement {
    /// Appends the element to a list of elements. In a set without intervals, the element must have one port at most.
    func write(to writer: inout MessageWriter, in set: NFTablesSet, keyOnly: Bool) {
        let isConcatenation = set.key.count > 1
        writer.nest(1) { writer in  // NFTA_LIST_ELEM
            if let stray { return Self.put(stray, in: set, to: &writer) }
            put(set, ports?.lowerBound, .first, as: Int(NFTA_SET_ELEM_KEY.rawValue), to: &writer)
            if set.isInterval, isConcatenation {
                put(set, ports?.upperBound, .last, as: Int(NFTA_SET_ELEM_KEY_END.rawValue), to: &writer)
            }
            if !keyOnly { putValue(to: &writer) }
        }
        if set.isInterval, !isConcatenation { putEnd(to: &writer, in: set) }
    }

    /// Appends the second element of an interval whose key has one part, if there is one.
    private func putEnd(to writer: inout MessageWriter, in set: NFTablesSet) {
        var behind: [UInt8]?
        if let stray {
            behind = stray.bytes.count > set.keySize ? Array(stray.bytes[set.keySize...]) : nil
        } else {
            behind = set.withKey(of: self, port: ports?.upperBound, .last) { Self.successor(of: $0) }
        }
        guard let behind else { return }
        writer.nest(1) { writer in
            behind.withUnsafeBytes { Self.put($0, as: Int(NFTA_SET_ELEM_KEY.rawValue), to: &writer) }
            writer.put(Int(NFTA_SET_ELEM_FLAGS.rawValue), bigEndian: UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue))
        }
    }

    /// The next larger key; nil behind the largest.
    private static func successor(of key: UnsafeRawBufferPointer) -> [UInt8]? {
        var next = Array(key)
        for index in next.indices.reversed() {
            next[index] &+= 1
            if next[index] != 0 { return next }
        }
        return nil
    }

    private func put(
        _ set: NFTablesSet, _ port: UInt16?, _ end: NFTablesSet.End, as type: Int, to writer: inout MessageWriter
    ) {
        set.withKey(of: self, port: port, end) { Self.put($0, as: type, to: &writer) }
    }

    private static func put(_ key: UnsafeRawBufferPointer, as type: Int, to writer: inout MessageWriter) {
        writer.nest(type) { $0.put(Int(NFTA_DATA_VALUE.rawValue), bytes: key) }
    }

    private static func put(_ stray: StrayKey, in set: NFTablesSet, to writer: inout MessageWriter) {
        guard stray != .everything else {
            writer.put(Int(NFTA_SET_ELEM_FLAGS.rawValue), bigEndian: UInt32(NFT_SET_ELEM_CATCHALL.rawValue))
            return
        }
        stray.bytes.withUnsafeBytes { bytes in
            put(
                UnsafeRawBufferPointer(rebasing: bytes[..<set.keySize]), as: Int(NFTA_SET_ELEM_KEY.rawValue),
                to: &writer)
            guard set.key.count > 1, bytes.count > set.keySize else { return }
            put(
                UnsafeRawBufferPointer(rebasing: bytes[set.keySize...]), as: Int(NFTA_SET_ELEM_KEY_END.rawValue),
                to: &writer)
        }
    }

    private func putValue(to writer: inout MessageWriter) {
        switch value {
        case nil: break
        case .mark(let mark):
            writer.nest(Int(NFTA_SET_ELEM_DATA.rawValue)) {
                $0.put(Int(NFTA_DATA_VALUE.rawValue), mark.rawValue)
            }
        case .port(let port):
            writer.nest(Int(NFTA_SET_ELEM_DATA.rawValue)) {
                $0.put(Int(NFTA_DATA_VALUE.rawValue), bigEndian: port)
            }
        case .counter(let name): writer.put(Int(NFTA_SET_ELEM_OBJREF.rawValue), string: name)
        }
    }
}

/// One element as the kernel sent it.
struct NFTablesWireElement {
    var element: SetElement
    /// Whether this is the end of an interval that another element began: the first key behind the interval.
    var isEnd: Bool

    /// Nil if the element has no key that fits the set.
    init?(_ attributes: Attributes, in set: NFTablesSet) {
        var key: UnsafeRawBufferPointer?
        var last: UnsafeRawBufferPointer?
        var value: SetElement.Value?
        var flags: UInt32 = 0
        var attributes = attributes
        while let attribute = attributes.next() {
            switch nft_set_elem_attributes(UInt32(attribute.type)) {
            case NFTA_SET_ELEM_KEY: key = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue))?.bytes
            case NFTA_SET_ELEM_KEY_END: last = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue))?.bytes
            case NFTA_SET_ELEM_FLAGS: flags = attribute.bigEndianUInt32 ?? 0
            case NFTA_SET_ELEM_OBJREF: value = .counter(attribute.string)
            case NFTA_SET_ELEM_DATA:
                guard let data = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue)) else { break }
                switch set.value {
                case .mark: value = data.uint32.flatMap(FirewallMark.init).map(SetElement.Value.mark)
                case .port: value = data.bigEndianUInt16.map(SetElement.Value.port)
                case .counter, nil: break
                }
            default: break
            }
        }
        isEnd = flags & UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue) != 0
        if flags & UInt32(NFT_SET_ELEM_CATCHALL.rawValue) != 0 {
            element = SetElement(set.rawValue, stray: .everything)
        } else if let key, let found = set.element(first: key, last: last) {
            element = found
        } else {
            return nil
        }
        element.value = value
    }
}
