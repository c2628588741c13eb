package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Simulates the kernel in tests: takes the bytes of one request and returns the datagrams that answer it.
package typealias SimulatedKernel = @Sendable (_ request: [UInt8]) -> [[UInt8]]

/// Simulates a socket in tests: takes the bytes of one request and returns the results of the following receives in
/// order, each a datagram or an errno.
package typealias SimulatedSocket = @Sendable (_ request: [UInt8]) -> [Result<[UInt8], Errno>]

/// The other side of a connection. It is an enum and not a protocol because a branch costs less than a witness call.
enum Transport: ~Copyable {
    case socket(NetlinkSocket)
    case simulated(SimulatedSocket, pending: [Result<[UInt8], Errno>])

    static let simulatedFamily: UInt16 = 0x1F

    var family: UInt16 {
        switch self {
        case .socket(let socket): socket.family
        case .simulated: Self.simulatedFamily
        }
    }

    /// The port id that replies must carry. The simulated kernel returns the request's.
    var port: UInt32 {
        switch self {
        case .socket(let socket): socket.port
        case .simulated: 0
        }
    }

    /// The kernel's number of the namespace (`SO_NETNS_COOKIE`); nil if it has none, or is simulated.
    var namespaceCookie: UInt64? {
        switch self {
        case .socket(let socket): socket.namespaceCookie
        case .simulated: nil
        }
    }

    /// The descriptor to poll for replies; nil if replies are there at once or never.
    var descriptor: CInt? {
        switch self {
        case .socket(let socket): socket.descriptor
        case .simulated: nil
        }
    }

    mutating func resolveFamilyAgain() -> FamilyChange {
        switch consume self {
        case .socket(var socket):
            let change = socket.resolveFamilyAgain()
            self = .socket(socket)
            return change
        case .simulated(let kernel, let pending):
            self = .simulated(kernel, pending: pending)
            return .unchanged
        }
    }

    /// Gives a sequence of messages to the kernel. Returns nil, or the reason why none of them was accepted.
    mutating func send(_ bytes: UnsafeRawBufferPointer) -> Errno? {
        switch consume self {
        case .socket(let socket):
            let error = socket.send(bytes)
            self = .socket(socket)
            return error
        case .simulated(let kernel, var pending):
            var rest = bytes
            while let header = NetlinkHeader(rest) {
                pending += kernel(Array(rest[..<header.length]))
                rest = UnsafeRawBufferPointer(rebasing: rest[Swift.min(aligned(header.length), rest.count)...])
            }
            self = .simulated(kernel, pending: pending)
            return nil
        }
    }

    /// Receives one datagram, or returns the errno: `EAGAIN` if there is none yet.
    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, Errno> {
        switch consume self {
        case .socket(let socket):
            let result = socket.receive(into: buffer)
            self = .socket(socket)
            return result
        case .simulated(let kernel, var pending):
            let next = pending.isEmpty ? nil : pending.removeFirst()
            self = .simulated(kernel, pending: pending)
            let datagram: [UInt8]
            switch next {
            case .success(let bytes): datagram = bytes
            case .failure(let error): return .failure(error)
            case nil: return .failure(.resourceTemporarilyUnavailable)
            }
            guard datagram.count <= buffer.count else { return .failure(Errno(rawValue: EMSGSIZE)) }
            buffer.copyBytes(from: datagram)
            return .success(datagram.count)
        }
    }
}
