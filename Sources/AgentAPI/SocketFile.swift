import MeshKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The file of a Unix socket at which only the owner of the process can ask.
///
/// A server makes a socket with the permissions that the process gives to new files. So it makes it in a folder that nobody
/// else can enter, and the socket gets its name when its permissions are right. The name then replaces that of a dead
/// agent's socket in one step.
final class SocketFile: Sendable {
    /// Where the socket is to be.
    let path: FilePath
    /// Where the server makes it.
    let birthplace: FilePath
    /// The file that has the name since the socket was published.
    private let published = Locked<NamedFile?>(nil)

    /// Makes the socket's folder, if it does not exist, and the birthplace.
    ///
    /// - Throws: ``AgentServerError`` if a server listens at the path, if something else is there, or if it cannot be made.
    init(_ path: FilePath) throws(AgentServerError) {
        self.path = path
        let folder = Self.folder(of: path)
        do {
            if folder.withPlatformString({ mkdir($0, 0o700) }) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
            try Self.refuseTaken(path)
            var template = Array(folder.appending(".meshctl-XXXXXX").string.utf8CString)
            guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
            birthplace = FilePath(platformString: template).appending("s")
            guard birthplace.string.utf8.count < Self.longest, path.string.utf8.count < Self.longest else {
                rmdir(template)
                throw Errno.fileNameTooLong
            }
        } catch let error as AgentServerError {
            throw error
        } catch {
            throw AgentServerError(
                "cannot make the socket \(path): \(error); name another with --socket, or --socket off")
        }
    }

    /// The folder that a path leads to, which for a name alone is the working directory.
    static func folder(of path: FilePath) -> FilePath {
        let folder = path.removingLastComponent()
        return folder.isEmpty ? "." : folder
    }

    deinit { clear() }

    /// Gives the socket its permissions and its name.
    func publish() throws(AgentServerError) {
        let identity = NamedFile(of: birthplace)
        let result = birthplace.withPlatformString { from in
            path.withPlatformString { to in chmod(from, 0o600) == 0 ? rename(from, to) : -1 }
        }
        guard result == 0 else {
            throw AgentServerError(
                "cannot make the socket \(path): \(Errno(rawValue: errno)); name another with --socket, or --socket off"
            )
        }
        published.withLock { $0 = identity }
        clear()
    }

    /// Removes the name, unless it is another agent's by now. It may still be listened to.
    func remove() {
        guard let identity = published.withLock(\.self), NamedFile(of: path) == identity else { return }
        _ = path.withPlatformString { unlink($0) }
    }

    private func clear() {
        _ = birthplace.withPlatformString { unlink($0) }
        _ = birthplace.removingLastComponent().withPlatformString { rmdir($0) }
    }

    // MARK: What is there

    /// The size of the field of an address, with the zero at its end.
    private static let longest = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

    private enum State {
        case absent
        case live
        case stale
        case noSocket
    }

    private static func refuseTaken(_ path: FilePath) throws(AgentServerError) {
        switch state(of: path) {
        case .absent, .stale: return
        case .live:
            throw AgentServerError(
                "another agent answers at \(path): stop it first, or name another socket with --socket, or --socket off"
            )
        case .noSocket:
            throw AgentServerError("\(path) is no socket: remove it, or name another path with --socket")
        }
    }

    /// Connects without waiting: a full queue is that of a server, too.
    private static func state(of path: FilePath) -> State {
        guard let file = NamedFile(of: path) else { return .absent }
        guard file.isSocket else { return .noSocket }
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let descriptor = socket(AF_UNIX, CInt(type), 0)
        guard descriptor >= 0 else { return .live }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8.prefix(longest - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result != 0 && errno == ECONNREFUSED ? .stale : .live
    }
}
