package import IPVSKit

/// A socket that accepts connections or datagrams, and its owner.
package struct Listener: Hashable, Sendable {
    /// A process that has the socket.
    package struct Process: Hashable, Sendable, CustomStringConvertible {
        package var pid: Int32
        /// The name that the kernel has for the process, at most 15 characters.
        package var name: String

        package init(pid: Int32, name: String) {
            self.pid = pid
            self.name = name
        }

        /// `nginx (pid 815)`.
        package var description: String { "\(name) (pid \(pid))" }
    }

    package var transport: TransportProtocol
    /// The address to which the socket is bound; the unspecified address stands for all. A socket at `::` also accepts
    /// IPv4 unless it is `IPV6_V6ONLY`, which the kernel's files do not tell.
    package var address: IPAddress
    package var port: UInt16
    /// The owner; nil if the socket belongs to the kernel, or to a process whose files we may not read.
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
    /// The listeners that would get no connections once the ports are published.
    ///
    /// A published port answers on all addresses of the node, including loopback, unless it is bound to one. So it
    /// takes the connections of every listener. If it is bound to an address, it takes those that listeners at this
    /// address or at all addresses get there.
    ///
    /// - Parameters:
    ///   - bind: the only address at which the ports are published; nil for all addresses.
    ///   - excusing: the tasks of the service at this node's own addresses, with their target ports
    ///     (``ownTasks(_:targets:on:)``). Such a task may listen on the published port itself: IPVS takes the
    ///     connection before the socket does, and passes it to the socket of the task.
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

    /// The tasks at addresses of this node, with each of their target ports. They are sockets of the node itself.
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
        // Multicast and broadcast addresses, on which mDNS and DHCP listen, are never published.
        if address.isMulticast || address.isReserved { return false }
        guard let bind, !bind.isUnspecified else { return true }
        return covers(bind)
    }

    private func covers(_ other: IPAddress) -> Bool {
        guard address.isUnspecified else { return address == other }
        return address.family == .ipv6 || other.family == .ipv4
    }
}
