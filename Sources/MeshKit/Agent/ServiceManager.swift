import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Tells a service manager how a service fares, by the protocol of systemd (`sd_notify(3)`): datagrams to the Unix socket
/// that `NOTIFY_SOCKET` names.
public struct ServiceManager: Equatable, Sendable {
    private let address: [UInt8]

    /// The service manager that a value of `NOTIFY_SOCKET` names; nil if there is none, or if the name is not one of a
    /// Unix socket.
    ///
    /// - Parameter name: a path, or a name of the abstract namespace that begins with `@`.
    public init?(socket name: String?) {
        guard let name, name.hasPrefix("/") || name.hasPrefix("@"), name.utf8.count > 1 else { return nil }
        var address = Array(name.utf8)
        if address[0] == UInt8(ascii: "@") { address[0] = 0 }
        guard address.count < MemoryLayout<sockaddr_un>.size - Self.pathOffset else { return nil }
        self.address = address
    }

    /// Sends assignments such as `READY=1`, in one datagram. A manager that does not listen loses them: a service must not
    /// fail, or wait, for that.
    public func tell(_ assignments: String...) {
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var there = sockaddr_un()
        there.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &there.sun_path) { $0.copyBytes(from: address) }
        let length = socklen_t(Self.pathOffset + address.count + (address[0] == 0 ? 0 : 1))
        let text = Array(assignments.joined(separator: "\n").utf8)
        _ = withUnsafePointer(to: &there) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT), $0, length)
            }
        }
    }

    private static let pathOffset = MemoryLayout<sa_family_t>.size
}
