package import IPVSKit

#if canImport(Glibc)
    import Glibc
#endif

extension IPAddress {
    /// The four or sixteen bytes of the address, most significant first, as in packets.
    package var bytes: [UInt8] {
        switch storage {
        case .ipv4(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
        case .ipv6(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
        }
    }

    /// An address from four or sixteen bytes, most significant first. Nil for any other number of bytes.
    init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.init(ipv4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16: self.init(ipv6: bytes.reduce(0) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }
}

/// The name of the interface with an index, in the namespace of the calling thread.
func interfaceName(_ index: Int32) -> String? {
    var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    guard if_indextoname(UInt32(index), &name) != nil else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// The names of interfaces, in the namespace of the calling thread. A name takes three system calls, and a thousand routes
/// lead to few interfaces.
func interfaceNames(_ indices: Set<Int32>) -> [Int32: String] {
    Dictionary(uniqueKeysWithValues: indices.compactMap { index in interfaceName(index).map { (index, $0) } })
}
