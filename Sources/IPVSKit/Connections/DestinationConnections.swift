/// Counts the connections of one destination in the connection table.
struct DestinationConnections {
    let destination: Destination.ID
    let service: VirtualService.ID
    /// The protocol of all connections of a service by firewall mark, if the caller knows it.
    let transport: TransportProtocol?
    /// The number of connections that may still carry data.
    private(set) var open = 0
    private(set) var closed = 0

    init(destination: Destination.ID, service: VirtualService.ID, transport: TransportProtocol? = nil) {
        self.destination = destination
        self.service = service
        self.transport = transport
    }

    /// Counts a connection if it may belong to the destination.
    mutating func take(_ connection: Connection) {
        guard !connection.isTemplate, mayBeOurs(connection) else { return }
        if Connection.State.over.contains(connection.state) { closed += 1 } else { open += 1 }
    }

    /// The number of connections that are not closed, given the number that the kernel counts for the destination.
    ///
    /// The table is not a snapshot and does not show to which service by firewall mark a connection belongs. So a
    /// connection that the table does not show counts as open, and the result is never more than the kernel's count.
    ///
    /// - Parameter counted: the active and inactive connections that the kernel counted before the table was read.
    func left(of counted: Int) -> Int { min(counted, max(open, counted - closed)) }

    private func mayBeOurs(_ connection: Connection) -> Bool {
        guard connection.destination.address == destination.address,
            destination.port == 0 || connection.destination.port == destination.port
        else { return false }
        switch service {
        case .firewallMark(_, let family):
            return connection.virtual.address.family == family
                && transport.map { $0 == connection.protocol } ?? true
        case .address(let address, let port, let transport):
            return connection.protocol == transport && connection.virtual.address == address
                && (port == 0 || connection.virtual.port == port)
        }
    }
}

extension Connection.State {
    /// Whether neither side sends data any more.
    fileprivate static let over: Set<Self> = [.timeWait, .close, .closed, .rejected]
}
