import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A netlink socket, and for generic netlink the id of its family.
///
/// libnl opens the socket. Its functions for sending, receiving and errors are not used: they merge errno values
/// (ENOENT and ESRCH become one), have no deadline, and receive every datagram twice.
struct NetlinkSocket: ~Copyable {
    private let handle: OpaquePointer
    private let netlinkProtocol: NetlinkProtocol
    /// The type of all messages that are sent; 0 if each message has a type of its own.
    private(set) var family: UInt16 = 0
    let descriptor: CInt
    /// The port id by which the kernel knows this socket. Replies carry it.
    let port: UInt32
    /// The kernel's number of the namespace in which the socket was opened.
    let namespaceCookie: UInt64?

    /// Opens a socket in the network namespace of the calling thread.
    init(_ netlinkProtocol: NetlinkProtocol) throws(NetlinkError) {
        guard let handle = nl_socket_alloc() else { throw .socket(.noMemory) }
        let connected = nl_connect(handle, netlinkProtocol.number)
        guard connected == 0 else {
            let error = Errno(rawValue: errno)
            nl_socket_free(handle)
            throw .socket(error == Errno(rawValue: 0) ? .ioError : error)
        }
        let descriptor = nl_socket_get_fd(handle)
        if case .generic(let name) = netlinkProtocol {
            do {
                family = try Self.lookUp(name, descriptor).get()
            } catch {
                nl_socket_free(handle)
                throw error
            }
        }
        self.handle = handle
        self.netlinkProtocol = netlinkProtocol
        self.descriptor = descriptor
        port = nl_socket_get_local_port(handle)
        namespaceCookie = NamespaceHandle.cookie(ofSocket: descriptor)

        // The buffers have room for the answers to a whole window. Without CAP_NET_ADMIN the limits are
        // net.core.rmem_max and wmem_max. A failure here is harmless: at worst it costs an ENOBUFS, which is handled.
        _ = nl_socket_set_buffer_size(handle, 1 << 20, 1 << 20)
        setBuffer(SO_RCVBUFFORCE, to: 1 << 20)
        Acknowledgement.request(on: descriptor)
        if netlinkProtocol == .filteredRoute {
            var on: CInt = 1
            _ = setsockopt(
                descriptor, CInt(CNetlink_SOL_NETLINK), CInt(NETLINK_GET_STRICT_CHK), &on,
                socklen_t(MemoryLayout<CInt>.size))
        }
    }

    deinit { nl_socket_free(handle) }

    /// Asks again for the family's id, which changes when its module is loaded anew.
    mutating func resolveFamilyAgain() -> FamilyChange {
        guard case .generic(let name) = netlinkProtocol else { return .unchanged }
        switch Self.lookUp(name, descriptor) {
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

    /// Gives a sequence of messages to the kernel. Returns nil, or the reason why none of them was accepted.
    func send(_ bytes: UnsafeRawBufferPointer) -> Errno? {
        let error = Self.send(bytes, descriptor)
        guard error == Errno(rawValue: EMSGSIZE) else { return error }
        // A transaction has to be one datagram: the kernel would take a part of it for the whole.
        setBuffer(SO_SNDBUFFORCE, to: CInt(clamping: bytes.count * 2))
        return Self.send(bytes, descriptor)
    }

    private func setBuffer(_ option: CInt, to size: CInt) {
        var size = size
        _ = setsockopt(descriptor, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<CInt>.size))
    }

    private static func send(_ bytes: UnsafeRawBufferPointer, _ descriptor: CInt) -> Errno? {
        while true {
            if Glibc.send(descriptor, bytes.baseAddress, bytes.count, 0) >= 0 { return nil }
            if errno != EINTR { return Errno(rawValue: errno) }
        }
    }

    /// Receives one datagram, or returns the errno: `EAGAIN` if there is none yet.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, Errno> {
        receiveFromKernel(descriptor, into: buffer, flags: CInt(MSG_DONTWAIT))
    }
}

/// The result of asking for a family's id again.
enum FamilyChange {
    case unchanged
    case changed
    case gone
    /// The kernel could not be asked.
    case unknown(NetlinkError)
}

extension NetlinkProtocol {
    fileprivate var number: CInt {
        switch self {
        case .generic: NETLINK_GENERIC
        case .route, .filteredRoute: NETLINK_ROUTE
        case .netfilter: NETLINK_NETFILTER
        }
    }
}
