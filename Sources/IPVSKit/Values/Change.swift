/// One change to the kernel's table, which is one netlink message.
public enum Change: Hashable, Sendable {
    /// `IPVS_CMD_NEW_SERVICE`. Fails with ``IPVSError/Code/serviceExists``, ``IPVSError/Code/schedulerNotFound``,
    /// ``IPVSError/Code/invalid``, ``IPVSError/Code/familyNotSupported``.
    case createService(VirtualService)
    /// `IPVS_CMD_SET_SERVICE`, which replaces the whole service. Fails with ``IPVSError/Code/serviceNotFound``,
    /// ``IPVSError/Code/schedulerNotFound``, ``IPVSError/Code/invalid``.
    case updateService(VirtualService)
    /// `IPVS_CMD_DEL_SERVICE`, which also deletes its destinations. Fails with ``IPVSError/Code/serviceNotFound``.
    case deleteService(VirtualService.ID)
    /// `IPVS_CMD_NEW_DEST`. Fails with ``IPVSError/Code/destinationExists``, ``IPVSError/Code/serviceNotFound``,
    /// ``IPVSError/Code/invalid``, ``IPVSError/Code/outOfRange``.
    case createDestination(Destination, of: VirtualService.ID)
    /// `IPVS_CMD_SET_DEST`, which replaces the whole destination. Fails with ``IPVSError/Code/destinationNotFound``,
    /// ``IPVSError/Code/serviceNotFound``, ``IPVSError/Code/invalid``, ``IPVSError/Code/outOfRange``.
    case updateDestination(Destination, of: VirtualService.ID)
    /// `IPVS_CMD_DEL_DEST`. Fails with ``IPVSError/Code/destinationNotFound``, ``IPVSError/Code/serviceNotFound``.
    case deleteDestination(Destination.ID, of: VirtualService.ID)
}

extension Change: CustomStringConvertible {
    /// The change as text: `add destination 10.0.0.2:80 to FWM 258`.
    public var description: String {
        switch self {
        case .createService(let service): "create service \(service.id)"
        case .updateService(let service): "change service \(service.id)"
        case .deleteService(let id): "delete service \(id)"
        case .createDestination(let destination, let id): "add destination \(destination.id) to \(id)"
        case .updateDestination(let destination, let id): "change destination \(destination.id) of \(id)"
        case .deleteDestination(let destination, let id): "remove destination \(destination) from \(id)"
        }
    }
}
