import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Holds ports in the network namespace of the process by sockets that are bound to them. Those of TCP do not listen, so
/// that the kernel refuses connections that nobody balances as if there were no socket. Those of UDP take nothing that
/// comes from another host; a datagram from the node itself that nobody balances, as to ::1 where all tasks have IPv4
/// addresses, gets no answer.
public final class PortHolder: Sendable {
    private let held = Locked<[HeldPort: CInt]>([:])

    /// Holds nothing yet.
    public init() {}

    deinit { held.withLock { for socket in $0.values { close(socket) } } }

    /// Releases the ports that are no longer wanted.
    func release(allBut wanted: Set<HeldPort>) {
        held.withLock { held in
            for (port, socket) in held where !wanted.contains(port) {
                close(socket)
                held[port] = nil
            }
        }
    }

    /// Releases the ports that are no longer wanted, and takes those that are not held.
    ///
    /// - Returns: the wanted ports that cannot be held, with the reason. Half of the descriptors that the process may have
    ///   are left for other purposes.
    func hold(_ wanted: Set<HeldPort>) -> [HeldPort: Errno] {
        release(allBut: wanted)
        return held.withLock { held in
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var failures: [HeldPort: Errno] = [:]
            for port in wanted.sorted() where held[port] == nil {
                guard held.count < limit.rlim_cur / 2 else {
                    failures[port] = .tooManyOpenFiles
                    continue
                }
                do throws(Errno) { held[port] = try Self.bind(port) } catch { failures[port] = error }
            }
            return failures
        }
    }

    /// Whether somebody has a socket bound to the port.
    static func isTaken(_ port: HeldPort) -> Bool {
        do throws(Errno) {
            close(try bind(port))
            return false
        } catch {
            return error == .addressInUse
        }
    }

    /// A socket that is bound to a port, for IPv4 and IPv6 if the port has no address of its own.
    private static func bind(_ port: HeldPort) throws(Errno) -> CInt {
        let type = CInt((port.transport == .tcp ? SOCK_STREAM : SOCK_DGRAM).rawValue | SOCK_CLOEXEC.rawValue)
        var address = port.address ?? IPAddress(ipv6: 0)
        var socket = Glibc.socket(address.family == .ipv4 ? AF_INET : AF_INET6, type, 0)
        if socket < 0, errno == EAFNOSUPPORT, port.address == nil {
            address = IPAddress(ipv4: 0)
            socket = Glibc.socket(AF_INET, type, 0)
        }
        guard socket >= 0 else { throw Errno(rawValue: errno) }
        if address.family == .ipv6 {
            var only: CInt = port.address == nil ? 0 : 1
            setsockopt(socket, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &only, socklen_t(MemoryLayout<CInt>.size))
        }
        // A datagram that IPVS does not take is answered as if there were no socket, unless it comes from the node itself.
        if port.transport == .udp { setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) }
        guard address.withSocketAddress(port: port.number, { Glibc.bind(socket, $0, $1) }) == 0 else {
            let failure = Errno(rawValue: errno)
            close(socket)
            throw failure
        }
        return socket
    }
}
