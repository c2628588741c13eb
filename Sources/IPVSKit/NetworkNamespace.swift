import CNetlink
package import Netlink
public import SystemPackage

/// A network namespace, named by a path, a process or an open descriptor.
///
/// IPVS tables, rules and sysctls belong to a namespace. A client works in the namespace for which it was made,
/// whichever thread calls it.
public struct NetworkNamespace: Sendable, CustomStringConvertible {
    private enum Source: Sendable {
        case path(FilePath)
        case descriptor(FileDescriptor)
    }

    private let source: Source
    /// The name of the namespace for messages.
    public let description: String

    /// The namespace of the calling thread.
    public static var current: Self { .init(source: .path("/proc/thread-self/ns/net"), description: "current") }

    /// A namespace that `ip netns add` named.
    public static func named(_ name: String) -> Self {
        .init(source: .path(FilePath("/run/netns").appending(name)), description: name)
    }

    /// The namespace for which a file stands: a bind mount, or `/proc/PID/ns/net`.
    public static func path(_ path: FilePath) -> Self { .init(source: .path(path), description: path.string) }

    /// The namespace of a process.
    public static func pid(_ pid: Int32) -> Self {
        .init(source: .path(FilePath("/proc/\(pid)/ns/net")), description: "pid \(pid)")
    }

    /// The namespace of an open descriptor. The caller keeps the descriptor open until a client is made, which
    /// duplicates it, and closes it.
    public static func descriptor(_ descriptor: FileDescriptor) -> Self {
        .init(source: .descriptor(descriptor), description: "descriptor \(descriptor.rawValue)")
    }

    /// Whether this is the namespace of the calling thread, which need not be entered.
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
        // When the bind mount of a named namespace is gone, an empty file is left, which opens like any other.
        guard CNetlink_is_network_namespace(handle.descriptor.rawValue) == 1 else {
            throw IPVSError(
                .namespace, errno: .invalidArgument, operation: operation,
                hint: "the file is not a network namespace, or no longer one")
        }
        return handle
    }
}
