import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LiveKernel {
    package func hostNetworks() async throws -> HostNetworks {
        var host = try await nodeKernel.routes.asking("read the networks of this host") { () throws(NetlinkError) in
            HostNetworks(
                links: try await nodeKernel.routes.links(), addresses: try await nodeKernel.routes.addresses(),
                routes: try await nodeKernel.routes.routes())
        }
        for path in try await NamespaceMount.all(from: nodeKernel.handle) {
            // A namespace may end meanwhile, and its networks with it.
            guard let handle = try await NamespaceMount.handle(of: path, from: nodeKernel.handle),
                !handle.isSame(as: nodeKernel.handle)
            else { continue }
            let routes = RouteClient(in: handle)
            defer { routes.close() }
            // Of one that cannot be asked nothing is known: a tunnel that it has already is refused by the kernel.
            guard let links = try? await routes.links(), links.contains(where: { $0.vxlan != nil }),
                let addresses = try? await routes.addresses(),
                let number = try? await routes.number(of: nodeKernel.handle)
            else { continue }
            host.add(tunnels: links, with: addresses, madeIn: number, namespace: path)
        }
        return host
    }

    package func taskFacts(at path: String) async throws -> TaskFacts {
        let handle = try Self.namespace(at: path)
        guard !handle.isSame(as: node) else {
            throw InputError(
                "\(path) is this node's own network namespace, which nothing has to be attached to: add the program "
                    + "with `meshctl task add SERVICE ADDRESS`")
        }
        let inode = try handle.inode(to: "look at the namespace \(path)")
        let routes = RouteClient(in: handle)
        defer { routes.close() }
        let addresses = try await routes.asking("look up the default routes in \(path)") {
            () throws(NetlinkError) in try await routes.defaultAddresses()
        }
        let links = try await routes.asking("look at the interfaces in \(path)") { () throws(NetlinkError) in
            try await routes.links()
        }
        return TaskFacts(inode: inode, defaultAddresses: addresses, isBare: !links.contains(where: \.isOfMesh))
    }

    private static func namespace(at path: String) throws -> NamespaceHandle {
        do {
            return try NetworkNamespace.path(FilePath(path)).open()
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory, .notDirectory:
                throw InputError(
                    "there is no network namespace at \(path): --netns takes a name that `ip netns list` shows, or a "
                        + "path, and --pid the number of a running process")
            case .invalidArgument:
                throw InputError(
                    "\(path) is no network namespace, or no longer one; `ip netns list` lists those with names")
            default: throw error
            }
        }
    }
}
