import Conntrack
import IPVSKit
import Netlink
import RuleKit
import SystemPackage

extension LivePlace {
    func forget(_ flows: [StaleFlows]) async throws {
        let addresses = try await routes.asking("look at the addresses") { () throws(NetlinkError) in
            try await routes.addresses()
        }
        let own = Set(addresses.compactMap { IPAddress(bytes: $0.address) })
        let conntrack = isProcess ? try Conntrack() : try Conntrack(in: .descriptor(handle.descriptor))
        _ = try await conntrack.delete(matching: flows.flatMap(\.filters)) { flow in
            // Flows that this namespace merely forwards to such a port elsewhere stay.
            let destination = flow.original.destination.address
            return destination.isLoopback || own.contains(destination)
        }
    }
}

extension LivePlace {
    /// conntrack says which connections came to an address, also where they are translated to another one in the
    /// namespace, and the sockets say which of them may still transfer data.
    func connections(at servers: [Destination.ID: TransportProtocol]) async throws -> [Destination.ID: Int] {
        let conntrack = isProcess ? try Conntrack() : try Conntrack(in: .descriptor(handle.descriptor))
        var counts: [Destination.ID: Int] = [:]
        for (transport, servers) in Dictionary(grouping: servers, by: \.value).mapValues({ $0.map(\.key) }) {
            let read: @Sendable () throws(Errno) -> Set<SocketTable.Connection> = { () throws(Errno) in
                try OpenSockets.connections(transport)
            }
            let sockets = try await isProcess ? read() : DetachedThread.run(in: handle, read)
            for server in servers {
                guard !sockets.isEmpty else {
                    counts[server] = 0
                    continue
                }
                let flows = try await conntrack.flows(
                    matching: FlowFilter(
                        protocol: transport, originalDestination: server.address,
                        originalDestinationPorts: server.port == 0 ? nil : server.port...server.port))
                counts[server] = Set(flows).count { flow in
                    let (local, remote) = (flow.reply.source, flow.reply.destination)
                    return sockets.contains(
                        SocketTable.Connection(
                            local: .init(local.address, port: local.port),
                            remote: .init(remote.address, port: remote.port)))
                }
            }
        }
        return counts
    }
}

extension StaleFlows {
    /// The filters that conntrack is given for these flows.
    fileprivate var filters: [FlowFilter] {
        let all = FlowFilter(
            protocol: binding.transport, originalDestination: binding.address,
            originalDestinationPorts: binding.ports)
        guard let tasks else { return [all] }
        return tasks.map { task in
            var filter = all
            filter.replySource = task
            return filter
        }
    }
}
