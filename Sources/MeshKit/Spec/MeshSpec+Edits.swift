public import IPVSKit
public import RuleKit

extension MeshSpec {
    /// Publishes a port of a service, and makes the service if there is none. Publishing a port twice has no further
    /// effect; another target for a port of the same service replaces the former one.
    ///
    /// - Parameter taken: further marks that a new port must not get, besides those of the spec: marks of IPVS services
    ///   in the kernel, and marks of a ledger whose ports have left the spec.
    public mutating func publish(
        _ listening: PortBinding, target: UInt16, service name: String, options: PublishOptions = PublishOptions(),
        avoiding taken: Set<FirewallMark> = []
    ) throws(InputError) {
        try Self.validate(serviceName: name)
        try Self.validate(listening, target: target)
        if let family = listening.address?.family, let allowed = options.allowed, !allowed.isEmpty,
            !allowed.contains(where: { $0.address.family == family })
        {
            throw InputError("\(listening) is of another family than \(allowed[0]): nobody could reach it")
        }
        for network in options.allowed ?? [] {
            if let fault = network.faultForClients { throw InputError("\(network) \(fault)") }
        }
        if let fault = options.scheduler?.unsuitability { throw InputError(fault) }
        if let (owner, port) = publisher(where: { $0.listening.overlaps(listening) }),
            owner != name || port.listening != listening
        {
            let same = port.listening == listening ? "" : ", which overlaps \(listening),"
            throw InputError(
                "\(port.listening)\(same) is published by service \(owner); "
                    + "run `meshctl unpublish \(port.listening)` first, or choose another port")
        }
        var service = services[name] ?? Service()
        if let scheduler = options.scheduler { service.scheduler = scheduler }
        let index: Int
        if let found = service.ports.firstIndex(where: { $0.listening == listening }) {
            index = found
            service.ports[index].target = target
        } else {
            let mark = try MarkAllocator.next(avoiding: marks.union(taken))
            index = service.ports.firstIndex { listening < $0.listening } ?? service.ports.endIndex
            service.ports.insert(PublishedPort(listening: listening, target: target, mark: mark), at: index)
        }
        if let seconds = options.stickySeconds { service.ports[index].stickySeconds = seconds == 0 ? nil : seconds }
        if let allowed = options.allowed { service.ports[index].allowed = Array(Set(allowed)).sorted() }
        if let sourceIP = options.sourceIP { service.ports[index].sourceIP = sourceIP }
        services[name] = service
    }

    /// Unpublishes a port. The service stays with its tasks.
    public mutating func unpublish(_ listening: PortBinding) throws(InputError) {
        guard let name = publisher(of: listening)?.name else {
            let near = publisher(where: { $0.listening.overlaps(listening) }).map {
                "; did you mean `meshctl unpublish \($0.port.listening)`?"
            }
            throw InputError("\(listening) is not published" + (near ?? "; `meshctl status` lists what is"))
        }
        services[name]?.ports.removeAll { $0.listening == listening }
    }

    /// Adds a task to a service, and makes the service if there is none. If the service has a task with the address,
    /// the task's weight and node are changed.
    public mutating func addTask(_ task: SpecTask, service name: String) throws(InputError) {
        try Self.validate(serviceName: name)
        try Self.validate(taskAddress: task.address)
        guard task.weight <= UInt32(Int32.max) else { throw InputError("a weight is at most \(Int32.max)") }
        var service = services[name] ?? Service()
        service.tasks.removeAll { $0.address == task.address }
        service.tasks.append(task)
        service.tasks.sort { $0.address < $1.address }
        services[name] = service
    }

    /// Removes a task.
    public mutating func removeTask(_ address: IPAddress, service name: String) throws(InputError) {
        let service = try self.service(name)
        guard service.tasks.contains(where: { $0.address == address }) else {
            throw InputError("service \(name) has no task \(address); `meshctl task ls \(name)` lists what it has")
        }
        services[name]?.tasks.removeAll { $0.address == address }
    }

    /// Removes a service with its ports and tasks.
    public mutating func removeService(_ name: String) throws(InputError) {
        _ = try service(name)
        services[name] = nil
    }

    /// The service with a name.
    public func service(_ name: String) throws(InputError) -> Service {
        guard let service = services[name] else {
            throw InputError("there is no service \(name.debugDescription); `meshctl service ls` lists what is")
        }
        return service
    }
}
