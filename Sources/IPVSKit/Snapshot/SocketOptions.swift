import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// IPVS's older interface, `getsockopt(IP_VS_SO_GET_…)`. It takes one call for all services and one call for the
/// destinations of each service, where netlink takes three and sends counters, too. It reads a table of 10,000
/// destinations about ten times as fast.
///
/// It supports only IPv4, and neither tunnel types nor persistence engines.
struct SocketOptions: ~Copyable {
    private let descriptor: CInt

    /// Opens in the network namespace of the calling thread.
    init() throws(Errno) {
        descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// All IPv4 services and their destinations.
    func reading() throws(Errno) -> SocketReading {
        var reading = SocketReading()
        try takeServices(&reading)
        let services = reading.services

        reading.reserveDestinations(services.reduce(0) { $0 + Int($1.num_dests) })
        // All services share one buffer for their destinations.
        let most = services.map(\.num_dests).max() ?? 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.destinationsSize(most), alignment: 8)
        defer { buffer.deallocate() }
        for service in services where service.num_dests > 0 {
            let reply = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.destinationsSize(service.num_dests)])
            try getDestinations(of: service, reply)
            reading.take(destinations: UnsafeRawBufferPointer(reply))
        }
        return reading
    }

    private func takeServices(_ reading: inout SocketReading) throws(Errno) {
        var info = ip_vs_getinfo()
        try withUnsafeMutableBytes(of: &info) { (buffer) throws(Errno) in
            try get(CNetlink_IP_VS_SO_GET_INFO, buffer)
        }
        guard info.num_services > 0 else { return }

        let size = CNetlink_IPVS_SERVICES_OFFSET + Int(info.num_services) * MemoryLayout<ip_vs_service_entry>.stride
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        defer { buffer.deallocate() }
        // The kernel does not report how many entries it wrote: see SocketReading.
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.storeBytes(of: info.num_services, as: UInt32.self)
        try get(CNetlink_IP_VS_SO_GET_SERVICES, buffer)
        reading.take(services: UnsafeRawBufferPointer(buffer))
    }

    /// - Parameter buffer: room for as many destinations as the service has.
    private func getDestinations(
        of service: ip_vs_service_entry, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) {
        // Here too, the kernel does not report how many entries it wrote.
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        var request = ip_vs_get_dests()
        request.protocol = service.protocol
        request.addr = service.addr
        request.port = service.port
        request.fwmark = service.fwmark
        request.num_dests = service.num_dests
        withUnsafeBytes(of: request) {
            buffer.copyMemory(from: .init(rebasing: $0[..<CNetlink_IPVS_DESTS_OFFSET]))
        }
        do throws(Errno) {
            try get(CNetlink_IP_VS_SO_GET_DESTS, buffer)
        } catch .noSuchProcess {
            // The service was deleted after it was listed. Its destinations stay zeros, and the next reading differs.
        }
    }

    private static func destinationsSize(_ count: UInt32) -> Int {
        CNetlink_IPVS_DESTS_OFFSET + Int(count) * MemoryLayout<ip_vs_dest_entry>.stride
    }

    private func get(_ command: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        var length = socklen_t(buffer.count)
        guard getsockopt(descriptor, CInt(IPPROTO_IP), CInt(command), buffer.baseAddress, &length) == 0 else {
            throw Errno(rawValue: errno)
        }
    }
}
