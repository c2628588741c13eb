import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A generic netlink socket and the id of the family it talks to.
///
/// libnl opens the socket. Its send, receive and error paths are not used: they fold errno values together (ENOENT and
/// ESRCH become one), have no deadline, and receive every datagram twice.
struct NetlinkSocket: ~Copyable {
    private let handle: OpaquePointer
    private let familyName: String
    private(set) var family: UInt16
    let descriptor: CInt
    /// The port the kernel knows this socket by; replies carry it.
    let port: UInt32

    /// Opens in the network namespace of the calling thread.
    init(family name: String) throws(NetlinkError) {
        guard let handle = nl_socket_alloc() else { throw .socket(.noMemory) }
        let connected = genl_connect(handle)
        guard connected == 0 else {
            let error = Errno(rawValue: errno)
            nl_socket_free(handle)
            throw .socket(error == Errno(rawValue: 0) ? .ioError : error)
        }
        let descriptor = nl_socket_get_fd(handle)
        do {
            family = try Self.lookUp(name, descriptor).get()
        } catch {
            nl_socket_free(handle)
            throw error
        }
        self.handle = handle
        familyName = name
        self.descriptor = descriptor
        port = nl_socket_get_local_port(handle)

        // Room for the answers of a whole window; the limit is net.core.rmem_max. Failing is harmless: it costs
        // an ENOBUFS at worst, which is recovered from.
        _ = nl_socket_set_buffer_size(handle, 1 << 20, 1 << 20)
        // Errors without the request quoted back: 36 bytes each instead of the whole message.
        var on: CInt = 1
        _ = setsockopt(
            descriptor, CNetlink_SOL_NETLINK_Int32, CInt(NETLINK_CAP_ACK), &on, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit { nl_socket_free(handle) }

    /// Asks again for the family's id, which changes when its module is loaded anew.
    mutating func resolveFamilyAgain() -> FamilyChange {
        switch Self.lookUp(familyName, descriptor) {
        case .success(family): return .unchanged
        case .success(let other):
            family = other
            return .changed
        case .failure(.familyNotFound): return .gone
        case .failure(let error): return .unknown(error)
        }
    }

    private static func lookUp(_ name: String, _ descriptor: CInt) -> Result<UInt16, NetlinkError> {
        FamilyLookup.id(of: name, send: { send($0, descriptor) }) { buffer in
            receiveFromKernel(descriptor, into: buffer, flags: CInt(MSG_DONTWAIT))
        }
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> Errno? { Self.send(bytes, descriptor) }

    private static func send(_ bytes: UnsafeRawBufferPointer, _ descriptor: CInt) -> Errno? {
        while true {
            if Glibc.send(descriptor, bytes.baseAddress, bytes.count, 0) >= 0 { return nil }
            if errno != EINTR { return Errno(rawValue: errno) }
        }
    }

    /// One datagram, or the errno; `EAGAIN` where there is none yet.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, Errno> {
        receiveFromKernel(descriptor, into: buffer, flags: CInt(MSG_DONTWAIT))
    }
}

/// What has become of a family's id.
enum FamilyChange {
    case unchanged
    case changed
    case gone
    /// The kernel could not be asked.
    case unknown(NetlinkError)
}

private let CNetlink_SOL_NETLINK_Int32 = CInt(CNetlink_SOL_NETLINK)
