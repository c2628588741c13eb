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

    /// A namespace by an open descriptor, which is duplicated and stays the caller's.
    public static func descriptor(_ descriptor: FileDescriptor) -> Self {
        .init(source: .descriptor(descriptor), description: "descriptor \(descriptor.rawValue)")
    }

    /// Whether it is that of whoever asks, which takes no entering.
    package var isCurrent: Bool {
        if case .path("/proc/thread-self/ns/net") = source { true } else { false }
    }

    package func open() throws(IPVSError) -> NamespaceHandle {
        do {
            return switch source {
            case .path(let path): try NamespaceHandle(path: path)
            case .descriptor(let descriptor): try NamespaceHandle(duplicating: descriptor)
            }
        } catch {
            throw IPVSError(.namespace, errno: error, operation: "open network namespace \(self)")
        }
    }
}
