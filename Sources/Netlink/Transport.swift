import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Plays the kernel in tests: the bytes of one request in, the datagrams that answer it out.
package typealias SimulatedKernel = @Sendable (_ request: [UInt8]) -> [[UInt8]]

/// What a connection talks to. An enum and not a protocol: the choice costs a branch, not a witness call.
enum Transport: ~Copyable {
    case socket(NetlinkSocket)
    case simulated(SimulatedKernel, pending: [[UInt8]])

    static let simulatedFamily: UInt16 = 0x1F

    var family: UInt16 {
        switch self {
        case .socket(let socket): socket.family
        case .simulated: Self.simulatedFamily
        }
    }

    /// The port that replies must carry; the simulated kernel echoes the request's.
    var port: UInt32 {
        switch self {
        case .socket(let socket): socket.port
        case .simulated: 0
        }
    }

    /// What to poll for replies; none where they are there at once or never.
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

    /// Hands a run of messages to the kernel. Nil, or why nothing of it was taken.
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

    /// One datagram, or the errno; `EAGAIN` where there is none yet.
    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, Errno> {
        switch consume self {
        case .socket(let socket):
            let result = socket.receive(into: buffer)
            self = .socket(socket)
            return result
        case .simulated(let kernel, var pending):
            let next = pending.isEmpty ? nil : pending.removeFirst()
            self = .simulated(kernel, pending: pending)
            guard let datagram = next else { return .failure(.resourceTemporarilyUnavailable) }
            guard datagram.count <= buffer.count else { return .failure(Errno(rawValue: EMSGSIZE)) }
            buffer.copyBytes(from: datagram)
            return .success(datagram.count)
        }
    }
}
