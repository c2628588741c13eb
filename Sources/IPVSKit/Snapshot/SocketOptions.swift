import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// IPVS's older interface, `getsockopt(IP_VS_SO_GET_…)`: one call for all services, one for the destinations of
/// each, where netlink takes three and sends counters along. It reads a table of 10,000 destinations some ten
/// times as fast.
///
/// It knows IPv4 alone, and neither tunnels nor persistence engines: good for the destinations of a service that
/// has none of these, and for nothing else.
struct SocketOptions: ~Copyable {
    private let descriptor: CInt

    /// Opens in the network namespace of the calling thread.
    init() throws(Errno) {
        descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// How many destinations each IPv4 service has, of whichever family.
    func destinationCounts() throws(Errno) -> [VirtualService.ID: Int] {
        var info = ip_vs_getinfo()
        try withUnsafeMutableBytes(of: &info) { (buffer) throws(Errno) in
            try get(CNetlink_IP_VS_SO_GET_INFO, buffer)
        }
        let count = Int(info.num_services)
        guard count > 0 else { return [:] }

        let offset = CNetlink_IPVS_SERVICES_OFFSET
        let stride = MemoryLayout<ip_vs_service_entry>.stride
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: offset + count * stride, alignment: 8)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.storeBytes(of: UInt32(count), as: UInt32.self)
        try get(CNetlink_IP_VS_SO_GET_SERVICES, buffer)
        return Self.destinationCounts(UnsafeRawBufferPointer(buffer))
    }

    /// The destinations of an IPv4 service, `count` of them; nil where this interface cannot tell all there is to
    /// tell.
    func destinations(of id: VirtualService.ID, count: Int) throws(Errno) -> [Destination]? {
        guard count > 0 else { return [] }
        let offset = CNetlink_IPVS_DESTS_OFFSET
        let stride = MemoryLayout<ip_vs_dest_entry>.stride
        var request = ip_vs_get_dests()
        request.num_dests = UInt32(count)
        switch id {
        case .firewallMark(let mark, .ipv4): request.fwmark = mark.rawValue
        case .address(let address, let port, let transport):
            guard case .ipv4(let number) = address.storage else { return nil }
            request.protocol = transport.rawValue
            request.addr = number.bigEndian
            request.port = port.bigEndian
        case .firewallMark: return nil
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: offset + count * stride, alignment: 8)
        defer { buffer.deallocate() }
        withUnsafeBytes(of: request) { buffer.copyMemory(from: .init(rebasing: $0[..<offset])) }
        // The kernel does not say how many it wrote; an address of 0 is no destination's.
        for index in 0..<count { buffer.storeBytes(of: 0, toByteOffset: offset + index * stride, as: UInt32.self) }
        try get(CNetlink_IP_VS_SO_GET_DESTS, buffer)
        return Self.destinations(UnsafeRawBufferPointer(buffer), count: count)
    }

    private func get(_ command: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        var length = socklen_t(buffer.count)
        guard getsockopt(descriptor, CInt(IPPROTO_IP), CInt(command), buffer.baseAddress, &length) == 0 else {
            throw Errno(rawValue: errno)
        }
    }
}

// MARK: What the kernel wrote

extension SocketOptions {
    /// Reads a `struct ip_vs_get_services`.
    static func destinationCounts(_ reply: UnsafeRawBufferPointer) -> [VirtualService.ID: Int] {
        let (offset, stride) = (CNetlink_IPVS_SERVICES_OFFSET, MemoryLayout<ip_vs_service_entry>.stride)
        guard reply.count >= offset else { return [:] }
        // The kernel writes back how many it found.
        let count = min(Int(reply.loadUnaligned(as: UInt32.self)), (reply.count - offset) / stride)
        var counts: [VirtualService.ID: Int] = [:]
        counts.reserveCapacity(count)
        for index in 0..<count {
            let entry = reply.loadUnaligned(fromByteOffset: offset + index * stride, as: ip_vs_service_entry.self)
            let id: VirtualService.ID
            if let mark = FirewallMark(rawValue: entry.fwmark) {
                id = .firewallMark(mark, .ipv4)
            } else {
                id = .address(
                    IPAddress(ipv4: UInt32(bigEndian: entry.addr)), port: UInt16(bigEndian: entry.port),
                    protocol: TransportProtocol(rawValue: entry.protocol))
            }
            counts[id] = Int(entry.num_dests)
        }
        return counts
    }

    /// Reads a `struct ip_vs_get_dests` of `count` destinations; nil where it is not so many, or where it cannot tell
    /// all there is to tell.
    static func destinations(_ reply: UnsafeRawBufferPointer, count: Int) -> [Destination]? {
        let (offset, stride) = (CNetlink_IPVS_DESTS_OFFSET, MemoryLayout<ip_vs_dest_entry>.stride)
        guard reply.count >= offset, count <= (reply.count - offset) / stride else { return nil }
        var destinations: [Destination] = []
        destinations.reserveCapacity(count)
        for index in 0..<count {
            let entry = reply.loadUnaligned(fromByteOffset: offset + index * stride, as: ip_vs_dest_entry.self)
            let forwarding = Destination.ForwardingMethod(rawValue: entry.conn_flags & UInt32(IP_VS_CONN_F_FWD_MASK))
            // One that is missing is of another family, or was removed meanwhile.
            guard entry.addr != 0, forwarding != .tunnel else { return nil }
            destinations.append(
                Destination(
                    IPAddress(ipv4: UInt32(bigEndian: entry.addr)), port: UInt16(bigEndian: entry.port),
                    weight: UInt32(bitPattern: entry.weight), forwarding: forwarding,
                    upperThreshold: entry.u_threshold, lowerThreshold: entry.l_threshold))
        }
        return destinations
    }
}
