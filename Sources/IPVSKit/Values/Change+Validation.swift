extension Change {
    /// What is not to be sent: what the kernel has no room for, and what it would take without a word and then not do.
    /// Everything else is the kernel's to judge.
    static func validate(_ changes: [Change]) throws(IPVSError) {
        for index in changes.indices {
            guard let objection = changes[index].objection else { continue }
            throw IPVSError(refusing: changes[index].description, objection)
        }
    }

    private var objection: String? {
        switch self {
        // Of a new service: one that is there is somebody's, and may be changed.
        case .createService(let service): service.id.objection ?? service.objection()
        case .updateService(let service): service.objection()
        case .createDestination(let destination, let id), .updateDestination(let destination, let id):
            destination.objection(of: id)
        case .deleteService, .deleteDestination: nil
        }
    }
}
