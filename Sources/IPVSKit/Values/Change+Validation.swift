extension Change {
    /// What the kernel could not even be asked: a name that does not fit its field. Everything else is the kernel's to
    /// judge.
    static func validate(_ changes: [Change]) throws(IPVSError) {
        for index in changes.indices {
            switch changes[index] {
            case .createService(let service), .updateService(let service): try changes[index].validate(names: service)
            case .deleteService, .createDestination, .updateDestination, .deleteDestination: break
            }
        }
    }

    private func validate(names service: VirtualService) throws(IPVSError) {
        try IPVSError.checkName(
            service.scheduler.rawValue, "the scheduler's name", limit: Scheduler.nameLimit, operation: description)
        if let engine = service.persistenceEngine {
            try IPVSError.checkName(engine, "the persistence engine's name", limit: 16, operation: description)
        }
    }
}

extension Scheduler {
    /// `IP_VS_SCHEDNAME_MAXLEN` less the NUL.
    static let nameLimit = 15
}

extension IPVSError {
    static func nameFits(_ name: String, limit: Int) -> Bool {
        !name.isEmpty && name.utf8.count <= limit && !name.utf8.contains(0)
    }

    /// A name as the kernel holds it: not empty, without NUL, and so many bytes at most.
    static func checkName(
        _ name: String, _ what: String, limit: Int, operation: @autoclosure () -> String
    ) throws(IPVSError) {
        if nameFits(name, limit: limit) { return }
        throw IPVSError(.invalid, operation: operation(), hint: "\(what) has 1 to \(limit) bytes, none of them NUL")
    }
}
