import BenchSupport
import Foundation

/// The ends of a flood of datagrams.
enum Flood {
    /// `flood ADDRESS PORT COUNT`: sends, and prints the seconds that took.
    static func run(_ arguments: [String]) throws {
        guard arguments.count == 3, let port = UInt16(arguments[1]), let count = Int(arguments[2]) else {
            throw BenchError("flood ADDRESS PORT COUNT")
        }
        let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, arguments[0], &address.sin_addr)
        let connected = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, connected == 0 else { throw BenchError("cannot connect: errno \(errno)") }
        let payload = [UInt8](repeating: 0, count: 32)
        // The first packets are scheduled; later ones belong to a known connection, as most packets of a long
        // connection do.
        for _ in 0..<100 { send(descriptor, payload, payload.count, 0) }
        let seconds = ContinuousClock().measure {
            for _ in 0..<count { send(descriptor, payload, payload.count, 0) }
        }.seconds
        print(seconds)
    }

    /// `sink PORT`: has the socket, so that nobody answers that there is none, until it is ended.
    static func sink(_ arguments: [String]) throws {
        guard arguments.count == 1, let port = UInt16(arguments[0]) else { throw BenchError("sink PORT") }
        let descriptor = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        let bound = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, bound == 0 else { throw BenchError("cannot bind: errno \(errno)") }
        while true { pause() }
    }
}
