import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// An open network namespace: it lives as long as the handle does, even when its name and its processes are gone.
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

    /// Duplicates a descriptor, which stays the caller's.
    package init(duplicating other: FileDescriptor) throws(Errno) {
        let copy = fcntl(other.rawValue, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        descriptor = FileDescriptor(rawValue: copy)
    }

    deinit { _ = Glibc.close(descriptor.rawValue) }

    /// Moves the calling thread, which must not be one of Swift's pool, into the namespace for good.
    ///
    /// Nothing is done where it is there already: the kernel wants CAP_SYS_ADMIN even for that, which a service that
    /// works in its own namespace need not have.
    func enter() throws(Errno) {
        if isCurrent { return }
        guard CNetlink_enter_network_namespace(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }

    /// Whether two handles are of one namespace.
    package func isSame(as other: NamespaceHandle) -> Bool {
        var (own, others) = (stat(), stat())
        guard fstat(descriptor.rawValue, &own) == 0, fstat(other.descriptor.rawValue, &others) == 0 else { return false }
        return own.st_dev == others.st_dev && own.st_ino == others.st_ino
    }

    /// Whether the calling thread is in the namespace. False, too, where /proc does not tell.
    private var isCurrent: Bool {
        var (own, other) = (stat(), stat())
        guard fstat(descriptor.rawValue, &own) == 0, stat("/proc/thread-self/ns/net", &other) == 0 else { return false }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }
}
