import Netlink
package import SystemPackage

/// Why a namespace or an interface of the mesh could not be made, read or removed.
package struct PlaceError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Somebody else has an interface of that name, or uses the addresses. Nothing was touched.
        case taken
        case notPermitted
        /// The kernel, or the container, lacks a feature that the operation needs.
        case unavailable
        case other
    }

    package var code: Code
    /// The operation that failed: "make a veth pair".
    package var operation: String
    package var errno: Errno?
    /// The cause or the remedy.
    package var hint: String?

    /// - Parameter hint: replaces the hint that belongs to the errno.
    package init(_ operation: String, _ errno: Errno, hint: String? = nil) {
        self.operation = operation
        self.errno = errno
        switch errno {
        case .notPermitted, .permissionDenied:
            code = .notPermitted
            self.hint = hint ?? "it takes CAP_NET_ADMIN and CAP_SYS_ADMIN: run it as root"
        case .notSupportedOnSocket:
            code = .unavailable
            self.hint = hint ?? "the kernel lacks it; for veth pairs it needs the module veth"
        default:
            code = .other
            self.hint = hint
        }
    }

    init(_ operation: String, _ error: NetlinkError) {
        self.init(operation, error.errno ?? .ioError, hint: error.message)
    }

    package init(_ code: Code, _ operation: String, hint: String) {
        self.code = code
        self.operation = operation
        self.hint = hint
    }

    package var description: String {
        "cannot \(operation)" + (errno.map { ": \($0)" } ?? "") + (hint.map { "; \($0)" } ?? "")
    }

    /// Runs the body and adds the operation to its error.
    static func attempt<Value: ~Copyable>(
        _ operation: String, _ body: () throws(Errno) -> Value
    ) throws(PlaceError) -> Value {
        do {
            return try body()
        } catch {
            throw PlaceError(operation, error)
        }
    }
}
