/// A change of a namespace's table between two looks at it.
public enum TableEvent: Hashable, Sendable {
    /// A service was added. Events for its destinations follow.
    case serviceAdded(VirtualService)
    /// Scheduler, flags or persistence of a service changed.
    case serviceChanged(VirtualService, from: VirtualService)
    /// A service was removed. Events for its destinations came before.
    case serviceRemoved(VirtualService)
    /// A destination was added.
    case destinationAdded(Destination, of: VirtualService.ID)
    /// A destination changed: any property but its address and port.
    case destinationChanged(Destination, from: Destination, of: VirtualService.ID)
    /// A destination was removed.
    case destinationRemoved(Destination, of: VirtualService.ID)
    /// Counters or rates of a service changed. Only reported on request.
    case serviceCounted(Statistics, from: Statistics, of: VirtualService.ID)
    /// Counters, rates or numbers of connections of a destination changed. Only reported on request.
    case destinationCounted(DestinationStatus, from: DestinationStatus, of: VirtualService.ID)
    /// The objects that were there at the beginning have all been reported as added; the following events are changes.
    /// Comes once.
    case upToDate

    /// The service of the event, or of the event's destination.
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
    /// The event as text: `added destination 10.0.0.2:80 to FWM 258: Masq, weight 1`.
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
