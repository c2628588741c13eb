/// Something that happened to a namespace's table between two looks at it.
public enum TableEvent: Hashable, Sendable {
    /// A service is there. Its destinations follow.
    case serviceAdded(VirtualService)
    /// Scheduler, flags or persistence of a service are others.
    case serviceChanged(VirtualService, from: VirtualService)
    /// A service is gone. Its destinations went before.
    case serviceRemoved(VirtualService)
    /// A destination is there.
    case destinationAdded(Destination, of: VirtualService.ID)
    /// All of a destination but its address and port may be other.
    case destinationChanged(Destination, from: Destination, of: VirtualService.ID)
    /// A destination is gone.
    case destinationRemoved(Destination, of: VirtualService.ID)
    /// Counters or rates of a service are others: only where asked for.
    case serviceCounted(Statistics, from: Statistics, of: VirtualService.ID)
    /// Counters, rates or numbers of connections of a destination are others: only where asked for.
    case destinationCounted(DestinationStatus, from: DestinationStatus, of: VirtualService.ID)
    /// All that was there at the beginning has been told as added; what follows is news. Comes once.
    case upToDate

    /// The service that it happened to, or to a destination of which.
    public var service: VirtualService.ID? {
        switch self {
        case .serviceAdded(let service), .serviceChanged(let service, _), .serviceRemoved(let service): service.id
        case .destinationAdded(_, let id), .destinationChanged(_, _, let id), .destinationRemoved(_, let id): id
        case .serviceCounted(_, _, let id), .destinationCounted(_, _, let id): id
        case .upToDate: nil
        }
    }
}

extension TableEvent: CustomStringConvertible {
    /// In words: `added destination 10.0.0.2:80 to FWM 258: Masq, weight 1`.
    public var description: String {
        switch self {
        case .serviceAdded(let service): "added service \(service.id): \(service.scheduler)"
        case .serviceChanged(let service, let old):
            service.scheduler == old.scheduler
                ? "changed service \(service.id)"
                : "changed service \(service.id): \(service.scheduler), was \(old.scheduler)"
        case .serviceRemoved(let service): "removed service \(service.id)"
        case .destinationAdded(let destination, let id):
            "added destination \(destination.id) to \(id): \(destination.forwarding), weight \(destination.weight)"
        case .destinationChanged(let destination, let old, let id):
            destination.weight == old.weight
                ? "changed destination \(destination.id) of \(id)"
                : "changed destination \(destination.id) of \(id): weight \(destination.weight), was \(old.weight)"
        case .destinationRemoved(let destination, let id): "removed destination \(destination.id) from \(id)"
        case .serviceCounted(let new, let old, let id):
            "counted for \(id): \(Self.difference(new.connections, old.connections)) connections, "
                + "\(new.connectionRate)/s"
        case .destinationCounted(let new, let old, let id):
            "counted for \(new.id) of \(id): \(Self.difference(new.statistics.connections, old.statistics.connections)) "
                + "connections, \(new.activeConnections) active, \(new.inactiveConnections) inactive"
        case .upToDate: "up to date"
        }
    }

    private static func difference(_ new: UInt64, _ old: UInt64) -> String {
        new >= old ? "+\(new - old)" : "-\(old - new)"
    }
}
