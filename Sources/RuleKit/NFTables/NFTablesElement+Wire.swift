import CNFTables
import IPVSKit
import Netlink

#if canImport(Glibc)
    import Glibc
#endif

/// An element of a set as the kernel holds it: a key, for intervals up to an end, and what it maps to.
///
/// Intervals over several parts have a second key, the last one that is in it. Intervals over one part are two elements,
/// the second with a flag and the first key that is no longer in it; none where that would be past the last.
extension SetElement {
    /// Appends the element to a list of elements.
    func write(to writer: inout MessageWriter, in set: NFTablesSet, keyOnly: Bool) {
        let isConcatenation = set.key.count > 1
        for ports in set.isInterval || ports == nil ? [ports] : ports!.map({ $0...$0 as ClosedRange<UInt16>? }) {
            writer.nest(1) { writer in  // NFTA_LIST_ELEM
                put(set, ports?.lowerBound, .first, as: Int(NFTA_SET_ELEM_KEY.rawValue), to: &writer)
                if set.isInterval, isConcatenation {
                    put(set, ports?.upperBound, .last, as: Int(NFTA_SET_ELEM_KEY_END.rawValue), to: &writer)
                }
                if !keyOnly { putValue(to: &writer) }
            }
            if set.isInterval, !isConcatenation, let end = ports?.upperBound, end < .max {
                writer.nest(1) { writer in
                    put(set, end + 1, .first, as: Int(NFTA_SET_ELEM_KEY.rawValue), to: &writer)
                    writer.put(Int(NFTA_SET_ELEM_FLAGS.rawValue), bigEndian: UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue))
                }
            }
        }
    }

    private enum End { case first, last }

    private func put(
        _ set: NFTablesSet, _ port: UInt16?, _ end: End, as type: Int, to writer: inout MessageWriter
    ) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            var count = 0
            func append<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
                buffer.storeBytes(of: number, toByteOffset: count, as: Number.self)
                count += MemoryLayout<Number>.size
                // In a concatenation each part fills whole registers of four bytes.
                if set.key.count > 1 { count = aligned(count) }
            }
            func append(_ address: IPAddress) {
                switch address.storage {
                case .ipv4(let number): append(number.bigEndian)
                case .ipv6(let number): append(number.bigEndian)
                }
            }
            for part in set.key {
                switch part {
                case .mark:
                    // libnftables has the rules turn a mark round where intervals are compared, byte by byte.
                    let number = mark?.rawValue ?? 0
                    append(set.isInterval ? number.bigEndian : number)
                case .transport: append(UInt8(truncatingIfNeeded: transport?.rawValue ?? 0))
                case .port: append((port ?? 0).bigEndian)
                case .address: if let address { append(address) }
                case .prefix:
                    if let prefix { append(end == .first ? prefix.address : lastAddress ?? prefix.lastAddress) }
                }
            }
            writer.nest(type) {
                $0.put(Int(NFTA_DATA_VALUE.rawValue), bytes: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
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
    /// The end of the interval that began with another element: its first key is no longer in it.
    var isEnd = false

    /// Nil where a part is missing, or is none that we could have written.
    init?(_ attributes: Attributes, in set: NFTablesSet) {
        element = SetElement(set.rawValue)
        var key: UnsafeRawBufferPointer?
        var last: UnsafeRawBufferPointer?
        var attributes = attributes
        while let attribute = attributes.next() {
            switch nft_set_elem_attributes(UInt32(attribute.type)) {
            case NFTA_SET_ELEM_KEY: key = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue))?.bytes
            case NFTA_SET_ELEM_KEY_END: last = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue))?.bytes
            case NFTA_SET_ELEM_FLAGS:
                isEnd = (attribute.bigEndianUInt32 ?? 0) & UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue) != 0
            case NFTA_SET_ELEM_OBJREF: element.value = .counter(attribute.string)
            case NFTA_SET_ELEM_DATA:
                guard let data = attribute.nested.first(Int(NFTA_DATA_VALUE.rawValue)) else { break }
                switch set.value {
                case .mark: element.value = data.uint32.flatMap(FirewallMark.init).map(SetElement.Value.mark)
                case .port: element.value = data.bigEndianUInt16.map(SetElement.Value.port)
                case .counter, nil: break
                }
            default: break
            }
        }
        guard let key, read(set, key, last), (element.value != nil) == (set.value != nil) || isEnd else {
            return nil
        }
    }

    private mutating func read(
        _ set: NFTablesSet, _ key: UnsafeRawBufferPointer, _ last: UnsafeRawBufferPointer?
    ) -> Bool {
        var offset = 0
        for part in set.key {
            switch part {
            case .mark:
                guard let number = key.number(at: offset, as: UInt32.self) else { return false }
                element.mark = FirewallMark(rawValue: set.isInterval ? UInt32(bigEndian: number) : number)
                offset += 4
            case .transport:
                guard let number = key.number(at: offset, as: UInt8.self) else { return false }
                element.transport = TransportProtocol(rawValue: UInt16(number))
                offset += 4
            case .port:
                guard let number = key.number(at: offset, as: UInt16.self) else { return false }
                element.ports = UInt16(bigEndian: number)...UInt16(bigEndian: number)
                offset += 4
            case .address(let family):
                guard let address = key.address(at: offset, family) else { return false }
                element.address = address
                offset += family == .ipv4 ? 4 : 16
            case .prefix(let family):
                guard let first = key.address(at: offset, family), let end = (last ?? key).address(at: offset, family)
                else { return false }
                let network = IPPrefix(from: first, through: end)
                element.prefix = network ?? IPPrefix(first)
                if network == nil { element.lastAddress = end }
                offset += family == .ipv4 ? 4 : 16
            }
        }
        return true
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as: Number.Type) -> Number? {
        guard offset + MemoryLayout<Number>.size <= count else { return nil }
        return loadUnaligned(fromByteOffset: offset, as: Number.self)
    }

    fileprivate func address(at offset: Int, _ family: AddressFamily) -> IPAddress? {
        switch family {
        case .ipv4: number(at: offset, as: UInt32.self).map { IPAddress(ipv4: UInt32(bigEndian: $0)) }
        case .ipv6: number(at: offset, as: UInt128.self).map { IPAddress(ipv6: UInt128(bigEndian: $0)) }
        }
    }
}
