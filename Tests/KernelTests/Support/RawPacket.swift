import IPVSKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A TCP segment or an SCTP packet that no socket of the sender's stands behind: what conntrack takes for no part of any
/// connection.
struct RawPacket: Sendable {
    struct End: Sendable {
        var address: IPAddress
        var port: UInt16
    }

    var transport: TransportProtocol
    var from: End
    var to: End
    var bytes: [UInt8]

    /// A segment with one byte of data, unless it begins a connection.
    static func segment(
        from: End, to: End, sequence: UInt32, acknowledgement: UInt32, flags: UInt8 = acknowledging | pushing
    ) -> RawPacket {
        var bytes: [UInt8] = []
        bytes.append(number: from.port)
        bytes.append(number: to.port)
        bytes.append(number: sequence)
        bytes.append(number: acknowledgement)
        bytes += [5 << 4, flags]
        bytes.append(number: UInt16(4096))
        bytes.append(number: UInt16(0))
        bytes.append(number: UInt16(0))
        if flags & synchronising == 0 { bytes.append(UInt8(ascii: "!")) }
        let sum = Self.internetChecksum(Self.pseudoHeader(from, to, length: bytes.count) + bytes)
        withUnsafeBytes(of: sum.bigEndian) { bytes.replaceSubrange(16..<18, with: $0) }
        return RawPacket(transport: .tcp, from: from, to: to, bytes: bytes)
    }

    static let synchronising: UInt8 = 0x02
    static let pushing: UInt8 = 0x08
    static let acknowledging: UInt8 = 0x10

    /// The second packet of a connection, of which there was no first.
    static func unsolicited(_ transport: TransportProtocol, from: End, to: End) -> RawPacket {
        guard transport == .sctp else {
            return segment(
                from: from, to: to, sequence: 1_000_000, acknowledgement: 2_000_000,
                flags: synchronising | acknowledging)
        }
        var bytes: [UInt8] = []
        bytes.append(number: from.port)
        bytes.append(number: to.port)
        bytes.append(number: UInt32(0x1234_5678))
        bytes.append(number: UInt32(0))
        bytes += [0, 3]  // DATA, which is all of a message.
        bytes.append(number: UInt16(17))
        bytes.append(number: UInt32(1))
        bytes.append(number: UInt32(0))
        bytes.append(number: UInt32(0))
        bytes += [UInt8(ascii: "!"), 0, 0, 0]
        withUnsafeBytes(of: Self.castagnoli(bytes)) { bytes.replaceSubrange(8..<12, with: $0) }
        return RawPacket(transport: .sctp, from: from, to: to, bytes: bytes)
    }

    /// Sends it, and says whether the other end answers it by what ends a connection: RST or ABORT. In the namespace of
    /// the calling thread.
    func isReset() throws(Errno) -> Bool {
        let descriptor = try sendingSocket()
        defer { close(descriptor) }
        while true {
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            // IPv4 comes with its header, IPv6 without.
            let packet = buffer[..<count].dropFirst(from.address.family == .ipv4 ? Int(buffer[0] & 15) * 4 : 0)
            let offset = packet.startIndex
            guard packet.count >= 13, packet[offset..<offset + 4].elementsEqual(bytes[2..<4] + bytes[0..<2]) else {
                continue
            }
            if transport == .tcp ? packet[offset + 13] & 4 != 0 : packet[offset + 12] == 6 { return true }
        }
    }

    /// Sends it, in the namespace of the calling thread.
    func send() throws(Errno) { close(try sendingSocket()) }

    /// The socket that it was sent by.
    private func sendingSocket() throws(Errno) -> CInt {
        let descriptor = socket(
            CInt(from.address.family.rawValue), CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue),
            CInt(transport.rawValue))
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        var timeout = timeval(tv_sec: 0, tv_usec: 400_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let bound = SocketAddress(from.address, port: 0).withPointer { Glibc.bind(descriptor, $0, $1) }
        let connected = SocketAddress(to.address, port: 0).withPointer { Glibc.connect(descriptor, $0, $1) }
        guard bound == 0, connected == 0, Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw Errno(rawValue: errno)
        }
        return descriptor
    }

    private static func pseudoHeader(_ from: End, _ to: End, length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for address in [from.address, to.address] {
            switch address.storage {
            case .ipv4(let number): bytes.append(number: number)
            case .ipv6(let number): bytes.append(number: number)
            }
        }
        bytes.append(number: UInt32(length))
        bytes.append(number: UInt32(TransportProtocol.tcp.rawValue))
        return bytes
    }

    private static func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        return ~UInt16(sum)
    }

    /// CRC32c, little-endian as it stands in a packet.
    private static func castagnoli(_ bytes: [UInt8]) -> UInt32 {
        var sum = UInt32.max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
        }
        return (~sum).littleEndian
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.bigEndian) { self += $0 }
    }
}

/// A connection that a server has taken.
final class AcceptedSocket: Sendable {
    let descriptor: CInt
    let own: RawPacket.End
    let peer: RawPacket.End

    init(from listener: TrafficSocket) throws(Errno) {
        var accepted: CInt = -1
        let peer = SocketAddress { accepted = accept(listener.descriptor, $0, $1) }
        guard accepted >= 0, let peerAddress = peer.address else { throw Errno(rawValue: errno) }
        let descriptor = accepted
        let own = SocketAddress { getsockname(descriptor, $0, $1) }
        guard let ownAddress = own.address else { throw Errno(rawValue: errno) }
        self.descriptor = descriptor
        self.own = .init(address: ownAddress, port: own.port)
        self.peer = .init(address: peerAddress, port: peer.port)
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends back what comes next; what went wrong where nothing does.
    func echo() -> String {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return count == 0 ? "closed" : "\(Errno(rawValue: errno))" }
        return Glibc.send(descriptor, buffer, count, CInt(MSG_NOSIGNAL)) == count ? "" : "\(Errno(rawValue: errno))"
    }

    /// A segment of this connection that is far from all that the other end has room for. Its acknowledgement is right,
    /// so that a reset in answer to it would be taken for one of this connection.
    func segmentOutsideTheWindow() throws(Errno) -> RawPacket {
        func option(_ option: CInt, _ value: CInt) throws(Errno) {
            var value = value
            guard setsockopt(descriptor, CInt(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
            else { throw Errno(rawValue: errno) }
        }
        func sequence(of queue: CInt) throws(Errno) -> UInt32 {
            try option(20, queue)  // TCP_REPAIR_QUEUE
            var number: UInt32 = 0
            var length = socklen_t(MemoryLayout<UInt32>.size)
            guard getsockopt(descriptor, CInt(IPPROTO_TCP), 21, &number, &length) == 0 else {  // TCP_QUEUE_SEQ
                throw Errno(rawValue: errno)
            }
            return number
        }
        try option(19, 1)  // TCP_REPAIR
        let (received, sent) = (try sequence(of: 1), try sequence(of: 2))
        try option(19, -1)  // without a probe
        return .segment(from: own, to: peer, sequence: sent &+ 0x2000_0000, acknowledgement: received)
    }
}
