extension Change {
    /// Refuses the changes that must not be sent: names that are too long for the kernel, and changes that the kernel
    /// would accept and not act on. The kernel judges all other changes.
    static func validate(_ changes: [Change]) throws(IPVSError) {
        for index in changes.indices {
            guard let objection = changes[index].objection else { continue }
            throw IPVSError(refusing: changes[index].description, objection)
        }
    }

    private var objection: String? {
        switch self {
        // The id is checked for a new service only: an existing service with such an id may still be changed.
        case .createService(let service): service.id.objection ?? service.objection()
        case .updateService(let service): service.objection()
        case .createDestination(let destination, let id), .updateDestination(let destination, let id):
            destination.objection(of: id)
        case .deleteService, .deleteDestination: nil
        }
    }
}
