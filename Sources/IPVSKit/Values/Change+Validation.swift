extension Change {
    /// What is not to be sent: what the kernel has no room for, and what it would take without a word and then not do.
    /// Everything else is the kernel's to judge.
    static func validate(_ changes: [Change]) throws(IPVSError) {
        for index in changes.indices {
            switch changes[index] {
            case .createService(let service), .updateService(let service): try changes[index].validate(service)
            case .deleteService, .createDestination, .updateDestination, .deleteDestination: break
            }
        }
    }

    private func validate(_ service: VirtualService) throws(IPVSError) {
        try IPVSError.checkName(
            service.scheduler.rawValue, "the scheduler's name", limit: Scheduler.nameLimit, operation: description)
        if let engine = service.persistenceEngine {
            try IPVSError.checkName(engine, "the persistence engine's name", limit: 16, operation: description)
        }
        if let objection = service.persistence?.objection(service.id.family) ?? objection(to: service.id) {
            throw IPVSError(.invalid, operation: description, hint: objection)
        }
    }

    /// Of a new service: one that is there is somebody's, and may be changed.
    private func objection(to id: VirtualService.ID) -> String? {
        guard case .createService = self, case .address(_, _, let transport) = id,
            !TransportProtocol.balanced.contains(transport)
        else { return nil }
        return "IPVS balances TCP, UDP and SCTP, and would never use a service for protocol \(transport)"
    }
}

extension VirtualService.Persistence {
    /// Ticks are 32 bits, of which there are 1000 in a second at most.
    private static let longestTimeoutSeconds = UInt32.max / 1000

    fileprivate func objection(_ family: AddressFamily) -> String? {
        if timeoutSeconds > Self.longestTimeoutSeconds {
            return
                "a client is remembered for \(Self.longestTimeoutSeconds) seconds at most: the kernel's ticks may wrap"
        }
        if let netmask, netmask.number(family) == nil {
            return family == .ipv4
                ? "the netmask of IPv4 is a mask, or the length of a prefix, 0 to 32"
                : "the netmask of IPv6 is the length of a prefix, 1 to 128"
        }
        return nil
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
