import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Receives one datagram from the kernel. The error is `EAGAIN` if there is none yet and the flags say not to wait, and
/// `EMSGSIZE` if the datagram is larger than the buffer, since its end would be missing.
///
/// Datagrams of other senders are dropped. Whoever has CAP_NET_ADMIN in the user namespace of a network namespace, such
/// as root in a rootless container, may send to any netlink socket there, and could pretend to be the kernel.
package func receiveFromKernel(
    _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer, flags: CInt = 0
) -> Result<Int, Errno> {
    var sender = sockaddr_nl()
    while true {
        var size = socklen_t(MemoryLayout<sockaddr_nl>.size)
        let count = withUnsafeMutableBytes(of: &sender) { sender in
            recvfrom(
                descriptor, buffer.baseAddress, buffer.count, flags | CInt(MSG_TRUNC),
                sender.assumingMemoryBound(to: sockaddr.self).baseAddress, &size)
        }
        guard count >= 0 else {
            if errno == EINTR { continue }
            return .failure(Errno(rawValue: errno))
        }
        // The kernel has the port id 0.
        guard sender.nl_pid == 0 else { continue }
        return count > buffer.count ? .failure(Errno(rawValue: EMSGSIZE)) : .success(count)
    }
}
