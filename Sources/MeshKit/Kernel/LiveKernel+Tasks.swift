import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LiveKernel {
    package func hostNetworks() async throws -> HostNetworks {
        var host = try await nodeKernel.asking("read the networks of this host") { () throws(NetlinkError) in
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
        var facts = TaskFacts(inode: inode)
        // A default route by an interface of the mesh is none of the task's own.
        let ours = try await nodeKernel.asking("look at the interfaces of \(path)") { () throws(NetlinkError) in
            Set(try await routes.links().filter(\.isOfMesh).map(\.index))
        }
        for family in AddressFamily.allCases {
            if let address = try await Self.defaultAddress(family, by: routes, besides: ours, in: path) {
                facts.defaultAddresses.append(address)
            }
        }
        return facts
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

    /// The addresses of the outside that are asked about, which documentation alone uses.
    private static func outside(_ family: AddressFamily) -> [IPAddress] {
        switch family {
        case .ipv4: ["192.0.2.1", "198.51.100.1", "203.0.113.1"]
        case .ipv6: ["2001:db8::1", "3fff::1"]
        }
    }

    /// The source address of packets that leave the namespace by its default route; nil if it has none, or no address
    /// that is valid beyond the link.
    private static func defaultAddress(
        _ family: AddressFamily, by routes: RouteClient, besides ours: Set<Int32>, in path: String
    ) async throws -> IPAddress? {
        do throws(NetlinkError) {
            for address in outside(family) {
                guard let route = try await routes.route(to: address.bytes), !route.isLocal, route.prefixLength == 0,
                    route.interface.map(ours.contains) != true
                else { continue }
                let source = try await routes.source(to: address.bytes).flatMap { IPAddress(bytes: $0) }
                return source.flatMap { $0.isLinkLocal || $0.isLoopback || $0.isUnspecified ? nil : $0 }
            }
            return nil
        } catch {
            // A namespace without IPv6 has no routes of the family.
            if error.errno == .addressFamilyNotSupported || error.errno == .notSupported { return nil }
            throw PlaceError("look up the default route in \(path)", error)
        }
    }
}
