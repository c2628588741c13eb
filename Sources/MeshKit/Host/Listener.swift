package import IPVSKit

/// A socket that takes connections or datagrams, and whose it is.
package struct Listener: Hashable, Sendable {
    /// A process that has the socket.
    package struct Process: Hashable, Sendable, CustomStringConvertible {
        package var pid: Int32
        /// The kernel's short name of it, 15 characters at most.
        package var name: String

        package init(pid: Int32, name: String) {
            self.pid = pid
            self.name = name
        }

        /// `nginx (pid 815)`.
        package var description: String { "\(name) (pid \(pid))" }
    }

    package var transport: TransportProtocol
    /// What it is bound to; unspecified is every address. `::` takes IPv4 as well, unless the socket is
    /// `IPV6_V6ONLY`, which the kernel's files do not tell.
    package var address: IPAddress
    package var port: UInt16
    /// Nil where it is the kernel's own, or belongs to somebody whose files we may not see.
    package var process: Process?

    package init(transport: TransportProtocol, address: IPAddress, port: UInt16, process: Process? = nil) {
        self.transport = transport
        self.address = address
        self.port = port
        self.process = process
    }
}

extension Listener: CustomStringConvertible {
    /// `nginx (pid 815) on 0.0.0.0:80/tcp`.
    package var description: String {
        let owner = process?.description ?? "a process that cannot be seen"
        return "\(owner) on \(Destination.ID(address, port: port))/\(transport)"
    }
}

extension Listener {
    /// The listeners that would get nothing any more once ports are published.
    ///
    /// A published port answers on all addresses of the node unless it is bound to one, loopback included. So it
    /// takes what any of them gets, and bound to one, what listeners on that one or on all addresses get there.
    ///
    /// - Parameters:
    ///   - bind: the only address that the ports are published on; nil is every one.
    ///   - excusing: the tasks of the service on this node's own addresses, with their target ports: see
    ///     ``ownTasks(_:targets:on:)``. Such a task may listen on the very port that is published, since IPVS takes
    ///     the connection before the socket does, and hands it to the socket of the task.
    package static func conflicts(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, bind: IPAddress?,
        listeners: [Listener], excusing: Set<Destination.ID> = []
    ) -> [Listener] {
        listeners.filter { listener in
            listener.transport == transport && ports.contains(listener.port)
                && listener.isTaken(by: bind)
                && !excusing.contains { listener.port == $0.port && listener.covers($0.address) }
        }
    }

    /// The tasks that are sockets of this node: those at one of its own addresses, with each port they are
    /// reached by.
    package static func ownTasks(
        _ tasks: [SpecTask], targets: ClosedRange<UInt16>, on addresses: [InterfaceAddress]
    ) -> Set<Destination.ID> {
        let own = Set(addresses.map(\.address))
        return Set(
            tasks.map(\.address).filter(own.contains).flatMap { address in
                targets.map { Destination.ID(address, port: $0) }
            })
    }

    private func isTaken(by bind: IPAddress?) -> Bool {
        // Nobody publishes multicast or broadcast, as mDNS and DHCP listen to.
        if address.isMulticast || address.isReserved { return false }
        guard let bind, !bind.isUnspecified else { return true }
        return covers(bind)
    }

    private func covers(_ other: IPAddress) -> Bool {
        guard address.isUnspecified else { return address == other }
        return address.family == .ipv6 || other.family == .ipv4
    }
}
