import IPVSKit
import Netlink

/// Converts keys to the kernel's bytes and back. The parts of a concatenation follow each other, each aligned to four
/// bytes.
extension NFTablesSet {
    /// The first or the last key of an interval. Other keys have only a first.
    enum End { case first, last }

    /// The number of bytes of a key.
    var keySize: Int { key.reduce(0) { $0 + size(of: $1) } }

    private func size(of part: KeyPart) -> Int { key.count > 1 ? aligned(part.size) : part.size }

    /// Writes the key of an element that is not a stray. A part that the element lacks is written as 0.
    ///
    /// - Parameters:
    ///   - end: which of the two keys of an interval.
    ///   - body: receives the bytes, which are valid during the call only.
    func withKey<Result>(
        of element: SetElement, port: UInt16?, _ end: End, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            var offset = 0
            func put(_ number: some FixedWidthInteger & BitwiseCopyable) {
                buffer.storeBytes(of: number, toByteOffset: offset, as: type(of: number))
            }
            func put(_ address: IPAddress?) {
                switch address?.storage {
                case .ipv4(let number): put(number.bigEndian)
                case .ipv6(let number): put(number.bigEndian)
                case nil: break
                }
            }
            for part in key {
                switch part {
                case .mark: put(order(element.mark?.rawValue ?? 0))
                case .transport: put(UInt8(truncatingIfNeeded: element.transport?.rawValue ?? 0))
                case .port: put((port ?? 0).bigEndian)
                case .address: put(element.address)
                case .prefix: put(end == .first ? element.prefix?.address : element.prefix?.lastAddress)
                }
                offset += size(of: part)
            }
            return body(UnsafeRawBufferPointer(rebasing: buffer[..<offset]))
        }
    }

    /// The element for a key of the kernel; a stray if no element of ours has such a key. Nil if the size is wrong for
    /// this set.
    ///
    /// - Parameter last: the last key of an interval, for keys with several parts.
    func element(first: UnsafeRawBufferPointer, last: UnsafeRawBufferPointer?) -> SetElement? {
        let last = last ?? first
        guard first.count == keySize, last.count == keySize else { return nil }
        var element = SetElement(rawValue)
        var offset = 0
        for part in key {
            switch part {
            case .mark: element.mark = FirewallMark(rawValue: mark(first, at: offset))
            case .transport: element.transport = TransportProtocol(rawValue: UInt16(first[offset]))
            case .port:
                let (port, end) = (first.port(at: offset), last.port(at: offset))
                element.ports = port...max(port, end)
            case .address(let family): element.address = first.address(at: offset, family)
            case .prefix(let family): element.prefix = Self.prefix(first, last, at: offset, family)
            }
            offset += size(of: part)
        }
        let isOurs = (element.mark != nil || !key.contains(.mark)) && (!isInterval || isWritten(element, first, last))
        return isOurs ? element : SetElement(rawValue, stray: stray(first, last))
    }

    /// The element for an interval of addresses; a stray if the interval is no network.
    ///
    /// - Parameters:
    ///   - begin: the element of the interval's beginning, whose network is the first address.
    ///   - behind: the first address behind the interval; nil if it ends with the last of all addresses.
    func element(of begin: SetElement, from first: IPAddress, to behind: IPAddress?) -> SetElement {
        let last = behind.map(\.predecessor) ?? IPPrefix(first, length: 0).lastAddress
        var element = begin
        element.prefix = IPPrefix(from: first, through: last)
        guard element.prefix == nil else { return element }
        let bytes = [first, behind].compactMap(\.self).flatMap { address in
            withKey(of: SetElement(rawValue, prefix: IPPrefix(address)), port: nil, .first) { Array($0) }
        }
        return SetElement(rawValue, stray: StrayKey(description: "\(first)-\(last)", bytes: bytes))
    }

    /// Whether writing the element would give the same keys of the interval.
    private func isWritten(
        _ element: SetElement, _ first: UnsafeRawBufferPointer, _ last: UnsafeRawBufferPointer
    ) -> Bool {
        withKey(of: element, port: element.ports?.lowerBound, .first) { $0.elementsEqual(first) }
            && withKey(of: element, port: element.ports?.upperBound, .last) { $0.elementsEqual(last) }
    }

    private func stray(_ first: UnsafeRawBufferPointer, _ last: UnsafeRawBufferPointer) -> StrayKey {
        var parts: [String] = []
        var offset = 0
        for part in key {
            let (start, end) = (text(of: part, first, offset), text(of: part, last, offset))
            if case .prefix(let family) = part, let prefix = Self.prefix(first, last, at: offset, family) {
                parts.append("\(prefix)")
            } else {
                parts.append(start == end ? start : "\(start)-\(end)")
            }
            offset += size(of: part)
        }
        return StrayKey(
            description: parts.joined(separator: " . "),
            bytes: Array(first) + (isInterval && key.count > 1 ? Array(last) : []))
    }

    private static func prefix(
        _ first: UnsafeRawBufferPointer, _ last: UnsafeRawBufferPointer, at offset: Int, _ family: AddressFamily
    ) -> IPPrefix? {
        IPPrefix(from: first.address(at: offset, family), through: last.address(at: offset, family))
    }

    private func text(of part: KeyPart, _ key: UnsafeRawBufferPointer, _ offset: Int) -> String {
        switch part {
        case .mark: "0x" + String(mark(key, at: offset), radix: 16)
        case .transport: "\(TransportProtocol(rawValue: UInt16(key[offset])))"
        case .port: "\(key.port(at: offset))"
        case .address(let family), .prefix(let family): "\(key.address(at: offset, family))"
        }
    }

    private func mark(_ key: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        order(key.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// In sets of intervals a mark is in network byte order: libnftables makes the rules convert it, because the kernel
    /// compares intervals byte by byte.
    private func order(_ mark: UInt32) -> UInt32 { isInterval ? mark.bigEndian : mark }
}

extension IPAddress {
    /// The address before this one, which is not the first of all.
    fileprivate var predecessor: IPAddress {
        switch storage {
        case .ipv4(let number): IPAddress(ipv4: number &- 1)
        case .ipv6(let number): IPAddress(ipv6: number &- 1)
        }
    }
}

extension StrayKey {
    /// The catch-all element (`*`), which stands for all keys without an element of their own.
    static let everything = StrayKey(description: "*", bytes: [])
}

extension NFTablesSet.KeyPart {
    fileprivate var size: Int {
        switch self {
        case .mark, .address(.ipv4), .prefix(.ipv4): 4
        case .transport: 1
        case .port: 2
        case .address(.ipv6), .prefix(.ipv6): 16
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func port(at offset: Int) -> UInt16 {
        UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    fileprivate func address(at offset: Int, _ family: AddressFamily) -> IPAddress {
        switch family {
        case .ipv4: IPAddress(ipv4: UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        case .ipv6: IPAddress(ipv6: UInt128(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt128.self)))
        }
    }
}
