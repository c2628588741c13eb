import IPVSKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A socket of TCP, UDP or SCTP, from an address and a port of the test's choice. Gives up after two seconds, or ten with
/// SCTP, which sends again what was lost only after three; closed with its last owner.
final class TrafficSocket: Sendable {
    let descriptor: CInt
    private let transport: TransportProtocol
    private let family: AddressFamily

    /// Made in the namespace of the calling thread.
    init(_ transport: TransportProtocol, _ family: AddressFamily, isBlocking: Bool = true) throws(Errno) {
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let flags = CInt(SOCK_CLOEXEC.rawValue) | (isBlocking ? 0 : CInt(SOCK_NONBLOCK.rawValue))
        descriptor = socket(CInt(family.rawValue), CInt(type.rawValue) | flags, CInt(transport.rawValue))
        self.transport = transport
        self.family = family
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        setTimeout(seconds: transport == .sctp ? 10 : 2)
        setOption(SOL_SOCKET, SO_REUSEADDR, 1)
        // Each family has a socket of its own, as a client's address is to be seen as it was sent.
        if family == .ipv6 { setOption(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// How long it waits for data, and for room for data.
    func setTimeout(seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    private func setOption(_ level: CInt, _ option: CInt, _ value: CInt) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Ends with a reset: the same port can be used again at once.
    func endAbruptly() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    /// Forbids every node on the way to take a datagram to pieces: the longest that passes is to be found out.
    func forbidFragments() {
        if family == .ipv4 {
            setOption(CInt(IPPROTO_IP), IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        } else {
            setOption(CInt(IPPROTO_IPV6), IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
        }
    }

    /// The length of the longest packet that passes to the other end, as far as the kernel knows.
    var pathMTU: CInt {
        let (level, option) = family == .ipv4 ? (CInt(IPPROTO_IP), IP_MTU) : (CInt(IPPROTO_IPV6), IPV6_MTU)
        var (value, length) = (CInt(0), socklen_t(MemoryLayout<CInt>.size))
        getsockopt(descriptor, level, option, &value, &length)
        return value
    }

    /// - Parameters:
    ///   - address: nil for all.
    ///   - interface: whose address it is; of a link-local address alone.
    func bind(_ address: IPAddress? = nil, port: UInt16 = 0, interface: String? = nil) throws(Errno) {
        let address = address ?? (family == .ipv4 ? "0.0.0.0" : "::")
        try check(
            SocketAddress(address, port: port, interface: interface).withPointer { Glibc.bind(descriptor, $0, $1) })
    }

    func listen() throws(Errno) { if transport != .udp { try check(Glibc.listen(descriptor, 4096)) } }

    /// - Parameter interface: by which it is reached; of a link-local address alone.
    func connect(_ address: IPAddress, port: UInt16, interface: String? = nil) throws(Errno) {
        try check(
            SocketAddress(address, port: port, interface: interface).withPointer { Glibc.connect(descriptor, $0, $1) })
    }

    func send(_ text: String) throws(Errno) {
        try check(CInt(Glibc.send(descriptor, text, text.utf8.count, CInt(MSG_NOSIGNAL))))
    }

    func receive() throws(Errno) -> String {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        try check(CInt(count))
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    private func check(_ result: CInt) throws(Errno) {
        guard result >= 0 else { throw Errno(rawValue: errno) }
    }
}

/// `sockaddr_in` or `sockaddr_in6`.
struct SocketAddress {
    private var bytes: [UInt8] = []

    init(_ address: IPAddress, port: UInt16, interface: String? = nil) {
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { bytes += $0 } }
        append(UInt16(address.family.rawValue))
        append(port.bigEndian)
        switch address.storage {
        case .ipv4(let number):
            append(number.bigEndian)
            append(UInt64(0))
        case .ipv6(let number):
            append(UInt32(0))
            append(number.bigEndian)
            append(interface.map { if_nametoindex($0) } ?? 0)
        }
    }

    /// What `body` writes.
    init(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Void) {
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        bytes = [UInt8](repeating: 0, count: Int(length))
        bytes.withUnsafeMutableBytes { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length) }
        bytes.removeLast(bytes.count - Int(min(length, socklen_t(bytes.count))))
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
    }

    var port: UInt16 {
        bytes.withUnsafeBytes { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }

    var address: IPAddress? {
        bytes.withUnsafeBytes { bytes in
            switch bytes.count {
            case 16: IPAddress(ipv4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            case 28: IPAddress(ipv6: UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self)))
            default: nil
            }
        }
    }
}
