import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LiveKernel {
    package func traces() async throws -> Traces {
        var traces = Traces()
        try await look(into: nodeKernel, .node, &traces)
        var seen: Set<UInt64> = [try nodeKernel.handle.inode(to: Self.operation)]
        for path in try await NamespaceMount.all(from: nodeKernel.handle) {
            do {
                guard let handle = try await NamespaceMount.handle(of: path, from: nodeKernel.handle),
                    seen.insert(try handle.inode(to: Self.operation)).inserted
                else { continue }
                try await look(into: handle, NamespaceMount.name(of: path).map { .name($0) } ?? .file(path), &traces)
            } catch {
                traces.unreadable.append("\(path): \(error)")
            }
        }
        let files: [(process: Int, path: String)]
        do { files = try NamespaceHandle.filesOfProcesses() } catch { throw PlaceError("list the processes", error) }
        for (_, path) in files {
            // Most processes share a namespace, which need not be opened for each of them.
            var status = stat()
            guard stat(path, &status) == 0, seen.insert(UInt64(status.st_ino)).inserted else { continue }
            do {
                try await look(into: try NamespaceHandle(path: FilePath(path)), .file(path), &traces)
            } catch let error as Errno where error == .noSuchFileOrDirectory {
                // The process has ended.
                continue
            } catch {
                traces.unreadable.append("\(path): \(error)")
            }
        }
        return traces
    }

    private static let operation = "look at a network namespace"

    private func look(
        into handle: NamespaceHandle, _ location: Trace.Location, _ traces: inout Traces
    ) async throws {
        let place = live(in: handle)
        defer { place.close() }
        try await look(into: place, location, &traces)
    }

    private func look(into place: LivePlace, _ location: Trace.Location, _ traces: inout Traces) async throws {
        let links = try await place.routes.asking("look at the interfaces") { () throws(NetlinkError) in
            try await place.routes.links()
        }
        var trace = Trace(location)
        trace.links = Set(links.filter(\.isOfMesh).map(\.name))
        if trace.links.isEmpty, location != .node, try await place.routingRules().isEmpty {
            if case .name(let name) = location, try await place.strangers().isEmpty { traces.bare.append(name) }
            return
        }
        // Programs are asked for the rules, so only where there is something of the mesh.
        for tool in RuleTool.allCases { trace.owners[tool] = try await place.owner(by: tool) }
        traces.found.append(trace)
    }
}
