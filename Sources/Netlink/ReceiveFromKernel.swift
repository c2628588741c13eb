import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Receives one datagram that the kernel sent; `EAGAIN` where there is none yet and the flags say not to wait. One that
/// is larger than the buffer is `EMSGSIZE`: its end would be missing.
///
/// Datagrams of others are dropped. Whoever has CAP_NET_ADMIN in the user namespace of a network namespace, as root of
/// a rootless container has, may send to any netlink socket in there, and could tell a program of the host's what the
/// kernel never said.
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
        // 0 is the kernel.
        guard sender.nl_pid == 0 else { continue }
        return count > buffer.count ? .failure(Errno(rawValue: EMSGSIZE)) : .success(count)
    }
}
