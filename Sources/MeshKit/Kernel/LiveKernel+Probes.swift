import Netlink
import SystemPackage

extension LiveKernel {
    package func probeSite(in place: Place) async throws -> ProbeSite {
        switch place.existence {
        case .own(let name):
            guard case .namespace(let handle) = try await NamespaceMount(name: name).content(from: node) else {
                throw Errno.noSuchFileOrDirectory
            }
            return ProbeSite(namespace: handle)
        // Its sockets need no privilege.
        case .lent(.process): return ProbeSite(namespace: nil)
        case .lent(.file(let path, _)): return ProbeSite(namespace: try NamespaceHandle(path: FilePath(path)))
        }
    }
}
