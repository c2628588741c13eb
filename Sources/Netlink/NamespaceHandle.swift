import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// An open network namespace. It exists as long as the handle does, even after its name and its processes are gone.
package final class NamespaceHandle: Sendable {
    package let descriptor: FileDescriptor

    package init(path: FilePath) throws(Errno) {
        do {
            descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        } catch let error as Errno {
            throw error
        } catch {
            throw .ioError
        }
    }

    /// Duplicates a descriptor, which remains the caller's.
    package init(duplicating other: FileDescriptor) throws(Errno) {
        let copy = fcntl(other.rawValue, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: copy)
    }

    deinit { _ = Glibc.close(descriptor.rawValue) }

    /// Moves the calling thread into the namespace for good. The thread must not be one of Swift's pool.
    ///
    /// If the thread is in the namespace already, nothing is done: the kernel requires CAP_SYS_ADMIN even then, and a
    /// service that works in its own namespace need not have it.
    func enter() throws(Errno) {
        if isCurrent { return }
        guard CNetlink_enter_network_namespace(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Whether two handles refer to the same namespace.
    package func isSame(as other: NamespaceHandle) -> Bool {
        var (own, others) = (stat(), stat())
        guard fstat(descriptor.rawValue, &own) == 0, fstat(other.descriptor.rawValue, &others) == 0 else {
            return false
        }
        return own.st_dev == others.st_dev && own.st_ino == others.st_ino
    }

    /// The inode of the namespace's file, which no other living namespace has; nil if it cannot be read.
    package var inode: UInt64? {
        var status = stat()
        return fstat(descriptor.rawValue, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// The number of the network namespace of a socket (`SO_NETNS_COOKIE`), which no other namespace gets until the next
    /// boot. Nil before Linux 5.14, which has no such number.
    package static func cookie(ofSocket descriptor: CInt) -> UInt64? {
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        guard getsockopt(descriptor, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &length) == 0 else { return nil }
        return cookie
    }

    /// Whether the calling thread is in the namespace. Also false if /proc does not tell.
    private var isCurrent: Bool {
        var (own, other) = (stat(), stat())
        guard fstat(descriptor.rawValue, &own) == 0, stat("/proc/thread-self/ns/net", &other) == 0 else { return false }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }
}
