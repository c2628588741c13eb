package import IPVSKit
import Netlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The links of the ``LoopbackDetour``: a veth pair, and the namespace that has its other end.
///
/// Nothing is kept here: each call looks at what there is. Two at a time on one node must not be; the mesh's lock sees
/// to that.
package struct DetourLinks: Sendable {
    let node: NetworkNamespace

    /// - Parameter node: the namespace that is the node.
    package init(in node: NetworkNamespace = .current) { self.node = node }

    /// The helper's namespace, which is there once installed.
    package func namespace() throws -> NetworkNamespace { .path(try namespacePath()) }

    /// A file that stands for the helper's namespace, for `nsenter --net=`.
    package func namespacePath() throws -> FilePath { try Place(node).mount.path }

    /// Puts the links up. What is there and intact stays; what is damaged is taken down first and built anew. Where
    /// it fails, nothing is left.
    ///
    /// Throws, and touches nothing, where somebody else has the interface's name or the addresses.
    package func install() async throws {
        let place = try Place(node)
        try await refuseWhatIsTaken(place)
        if case .intact = try await observe(place) { return }
        try await remove(place)
        do {
            try await build(place)
            // What was put up may yet not do, as where a routing rule leads elsewhere.
            if case .damaged(let faults) = try await observe(place) {
                throw DetourError(.other, "put up the way of 127.0.0.1", hint: faults.joined(separator: "; "))
            }
        } catch {
            // What failed is more worth telling than what then cannot be taken down, which the next observe() shows.
            try? await remove(place)
            throw error
        }
    }

    /// Takes the links down, whatever is there of them. What is somebody else's stays.
    package func remove() async throws { try await remove(Place(node)) }

    /// A node, and the name that its helper goes by.
    struct Place: Sendable {
        let node: NamespaceHandle
        let mount: NamespaceMount

        init(_ namespace: NetworkNamespace) throws {
            node = try namespace.open()
            var status = stat()
            guard fstat(node.descriptor.rawValue, &status) == 0 else {
                throw DetourError("look at the node's namespace", Errno(rawValue: errno))
            }
            mount = NamespaceMount(name: LoopbackDetour.namespaceName(nodeInode: UInt64(status.st_ino)))
        }
    }

    private func refuseWhatIsTaken(_ place: Place) async throws {
        let content = try place.mount.content()
        try await DetachedThread.run(in: place.node) { () throws(DetourError) in
            let operation = "put up the interface \(LoopbackDetour.interface)"
            var socket = try DetourError.attempt(operation) { () throws(Errno) in try RouteSocket() }
            let end = try socket.nodeEnd(content)
            if let end, !end.isOurs {
                throw DetourError(
                    .taken, operation, hint: "there is one of that name that is not meshctl's: rename or delete it")
            }
            if let user = try socket.userOfSubnet(but: end?.link.index) {
                throw DetourError(
                    .taken, operation,
                    hint: "\(LoopbackDetour.nodeAddress)/\(LoopbackDetour.prefixLength), which it is to have, "
                        + "is in use: \(user)")
            }
        }
    }

    /// The pair is made inside the helper, complete with alias and address, before its end goes to the node: whenever
    /// this process dies, what is on the node is known for ours, and what is not there yet goes with the helper.
    private func build(_ place: Place) async throws {
        let helper: NamespaceHandle
        do throws(NetlinkError) {
            helper = try await .scratch()
        } catch {
            throw DetourError("make a network namespace", error.errno ?? .ioError)
        }
        try await DetachedThread.run(in: helper) {
            var socket = try DetourError.attempt("open a route socket", { () throws(Errno) in try RouteSocket() })
            try socket.makePair()
            try socket.raise(
                LoopbackDetour.helperInterface, address: LoopbackDetour.helperAddress,
                settings: LoopbackDetour.helperSettings)
        }
        try await place.mount.add(helper)
        try await DetachedThread.run(in: helper) { () throws(DetourError) in
            try DetourError.attempt("move \(LoopbackDetour.interface) to the node") { () throws(Errno) in
                var socket = try RouteSocket()
                guard let link = try socket.link(named: LoopbackDetour.interface) else {
                    throw Errno(rawValue: ENODEV)
                }
                try socket.move(link.index, to: place.node)
            }
        }
        try await DetachedThread.run(in: place.node) {
            var socket = try DetourError.attempt("open a route socket", { () throws(Errno) in try RouteSocket() })
            try socket.raise(
                LoopbackDetour.interface, address: LoopbackDetour.nodeAddress, settings: LoopbackDetour.nodeSettings)
        }
    }

    private func remove(_ place: Place) async throws {
        let content = try place.mount.content()
        try await DetachedThread.run(in: place.node) { () throws(DetourError) in
            let operation = "delete the interface \(LoopbackDetour.interface)"
            var socket = try DetourError.attempt(operation) { () throws(Errno) in try RouteSocket() }
            guard let end = try socket.nodeEnd(content), end.isOurs else { return }
            do throws(Errno) {
                try socket.delete(end.link.index)
            } catch {
                // The other end's namespace may have ended, and taken it along this very moment.
                guard error == Errno(rawValue: ENODEV) else { throw DetourError(operation, error) }
            }
        }
        if case .missing = content { return }
        try await place.mount.remove(place.node)
    }
}
