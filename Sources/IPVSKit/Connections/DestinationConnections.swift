/// What the connection table holds of one destination.
struct DestinationConnections {
    let destination: Destination.ID
    let service: VirtualService.ID
    /// Those that move data, or may.
    private(set) var open = 0
    private(set) var closed = 0

    init(destination: Destination.ID, service: VirtualService.ID) {
        self.destination = destination
        self.service = service
    }

    /// Counts a connection, if it may be one of the destination's.
    mutating func take(_ connection: Connection) {
        guard !connection.isTemplate, mayBeOurs(connection) else { return }
        if Connection.State.over.contains(connection.state) { closed += 1 } else { open += 1 }
    }

    /// How many are left, of so many that the kernel counts for the destination itself.
    ///
    /// The table is no snapshot, and does not say whose a connection by firewall mark is. So one that it does not show
    /// counts as open, and no more count than the destination has.
    ///
    /// - Parameter counted: active and inactive ones, counted before the table was read.
    func left(of counted: Int) -> Int { min(counted, max(open, counted - closed)) }

    private func mayBeOurs(_ connection: Connection) -> Bool {
        guard connection.destination.address == destination.address,
            destination.port == 0 || connection.destination.port == destination.port
        else { return false }
        switch service {
        case .firewallMark(_, let family): return connection.virtual.address.family == family
        case .address(let address, let port, let transport):
            return connection.protocol == transport && connection.virtual.address == address
                && (port == 0 || connection.virtual.port == port)
        }
    }
}

extension Connection.State {
    /// No data comes any more, from either side.
    fileprivate static let over: Set<Self> = [.timeWait, .close, .closed, .rejected]
}
