package import IPVSKit
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// An address of an interface of this node.
package struct InterfaceAddress: Hashable, Sendable {
    package var address: IPAddress
    /// The number of leading bits that the network of the address shares.
    package var prefixLength: Int
    package var interface: String

    package init(address: IPAddress, prefixLength: Int, interface: String) {
        self.address = address
        self.prefixLength = prefixLength
        self.interface = interface
    }
}

/// The addresses of the namespace of the process.
package enum NodeAddresses {
    /// All addresses, including loopback and link-local ones, in the kernel's order.
    package static func read() throws(NodeAddressError) -> [InterfaceAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { throw NodeAddressError(errno: Errno(rawValue: errno)) }
        defer { freeifaddrs(list) }
        return sequence(first: list) { $0?.pointee.ifa_next }.compactMap { entry in
            guard let entry, let address = entry.pointee.ifa_addr.flatMap(address),
                let mask = entry.pointee.ifa_netmask.flatMap(Self.address)
            else { return nil }
            return InterfaceAddress(
                address: address, prefixLength: leadingOnes(mask), interface: String(cString: entry.pointee.ifa_name))
        }
    }

    private static func leadingOnes(_ mask: IPAddress) -> Int {
        switch mask.storage {
        case .ipv4(let number): (~number).leadingZeroBitCount
        case .ipv6(let number): (~number).leadingZeroBitCount
        }
    }

    private static func address(_ address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                IPAddress(ipv4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
            }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) {
                    IPAddress(ipv6: UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)))
                }
            }
        default: nil
        }
    }
}

/// Why the addresses of this node could not be read.
package struct NodeAddressError: Error, Hashable, CustomStringConvertible {
    /// The kernel's errno.
    package var errno: Errno

    package var description: String { "cannot read the addresses of this node: \(errno)" }
}
