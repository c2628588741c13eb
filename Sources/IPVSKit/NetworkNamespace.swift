import CNetlink
package import Netlink
public import SystemPackage

/// A network namespace, by one of the names it can have.
///
/// IPVS tables, rules and sysctls belong to a namespace; a client works in the one it was made for, whichever
/// thread calls it.
public struct NetworkNamespace: Sendable, CustomStringConvertible {
    private enum Source: Sendable {
        case path(FilePath)
        case descriptor(FileDescriptor)
    }

    private let source: Source
    /// What it was named by, for messages.
    public let description: String

    /// The namespace of the calling thread.
    public static var current: Self { .init(source: .path("/proc/thread-self/ns/net"), description: "current") }

    /// A namespace that `ip netns add` named.
    public static func named(_ name: String) -> Self {
        .init(source: .path(FilePath("/run/netns").appending(name)), description: name)
    }

    /// A namespace by a file that stands for it: a bind mount, or `/proc/PID/ns/net`.
    public static func path(_ path: FilePath) -> Self { .init(source: .path(path), description: path.string) }

    /// The namespace of a process.
    public static func pid(_ pid: Int32) -> Self {
        .init(source: .path(FilePath("/proc/\(pid)/ns/net")), description: "pid \(pid)")
    }

    /// A namespace by an open descriptor. It stays the caller's, who keeps it open until a client is made: that has a
    /// duplicate of its own.
    public static func descriptor(_ descriptor: FileDescriptor) -> Self {
        .init(source: .descriptor(descriptor), description: "descriptor \(descriptor.rawValue)")
    }

    /// Whether it is that of whoever asks, which takes no entering.
    package var isCurrent: Bool {
        if case .path("/proc/thread-self/ns/net") = source { true } else { false }
    }

    package func open() throws(IPVSError) -> NamespaceHandle {
        let operation = "open network namespace \(self)"
        let handle: NamespaceHandle
        do throws(Errno) {
            switch source {
            case .path(let path): handle = try NamespaceHandle(path: path)
            case .descriptor(let descriptor): handle = try NamespaceHandle(duplicating: descriptor)
            }
        } catch {
            throw IPVSError(.namespace, errno: error, operation: operation)
        }
        // Of a name whose bind mount is gone an empty file is left, which opens like any other.
        guard CNetlink_is_network_namespace(handle.descriptor.rawValue) == 1 else {
            throw IPVSError(
                .namespace, errno: .invalidArgument, operation: operation,
                hint: "what is there is no network namespace, or not any more")
        }
        return handle
    }
}
