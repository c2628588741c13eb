public import IPVSKit
public import RuleKit

extension MeshSpec {
    /// Publishes a port of a service, and makes the service if there is none. Publishing a port twice has no further
    /// effect; another target for a port of the same service replaces the former one. A port or a service that a source
    /// has found is the operator's from then on.
    ///
    /// - Parameter taken: further marks that a new port must not get, besides those of the spec: marks of IPVS services
    ///   in the kernel, and marks of a ledger whose ports have left the spec.
    public mutating func publish(
        _ listening: PortBinding, target: UInt16, service name: String, options: PublishOptions = PublishOptions(),
        avoiding taken: Set<FirewallMark> = []
    ) throws(InputError) {
        try Self.validate(serviceName: name)
        try Self.validate(listening, target: target)
        try options.validate()
        try options.refuseNobody(at: listening)
        if let (owner, port) = publisher(where: { $0.listening.overlaps(listening) }),
            owner != name || port.listening != listening
        {
            let same = port.listening == listening ? "" : ", which overlaps \(listening),"
            throw InputError(
                "\(port.listening)\(same) is published by service \(owner); "
                    + "run `meshctl unpublish \(port.listening)` first, or choose another port")
        }
        if publisher(of: listening) == nil, let network = networks(carriedBy: listening).first {
            throw InputError(
                "\(listening) is taken: network \(network.name) sends its packets between the nodes to UDP port "
                    + "\(network.port); choose another port")
        }
        var service = services[name] ?? Service()
        try Self.set(options, of: &service, name)
        let index: Int
        if let found = service.ports.firstIndex(where: { $0.listening == listening }) {
            index = found
            service.ports[index].target = target
        } else {
            let mark = try MarkAllocator.next(avoiding: marks.union(taken))
            index = service.ports.firstIndex { listening < $0.listening } ?? service.ports.endIndex
            service.ports.insert(PublishedPort(listening: listening, target: target, mark: mark), at: index)
        }
        service.ports[index].set(options)
        if service.balancing == .ingress, publisher(of: listening) == nil {
            try refuse(inSandbox: service.ports[index], of: name)
        }
        service.ports[index].origin = nil
        service.origin = nil
        services[name] = service
    }

    /// Makes a service without ports and tasks. Making a service again with the same options has no further effect.
    ///
    /// - Parameter options: the scheduler and the balancer; the others are those of ports.
    public mutating func createService(_ name: String, options: PublishOptions = PublishOptions()) throws(InputError) {
        try Self.validate(serviceName: name)
        var service = services[name] ?? Service()
        try options.validate()
        try Self.set(options, of: &service, name)
        if let present = services[name], present != service {
            throw InputError(
                "there is a service \(name) with other options: change them with `meshctl service set \(name)`, or "
                    + "choose another name")
        }
        service.origin = nil
        services[name] = service
    }

    /// Sets options of a service, and of its ports. Options that are nil stay as they are.
    ///
    /// - Parameter ports: the ports whose options are set; nil for all ports of the service.
    public mutating func setOptions(
        _ options: PublishOptions, ofService name: String, ports: [PortBinding]? = nil
    ) throws(InputError) {
        var service = try service(name)
        try options.validate()
        for listening in ports ?? [] where !service.ports.contains(where: { $0.listening == listening }) {
            throw InputError(
                "service \(name) does not publish \(listening); `meshctl service inspect \(name)` lists its ports")
        }
        if options.concernsPorts, service.ports.isEmpty {
            throw InputError(
                "service \(name) publishes no port, which such an option is one of: give it to `meshctl publish`")
        }
        try Self.set(options, of: &service, name)
        for index in service.ports.indices {
            let listening = service.ports[index].listening
            guard ports?.contains(listening) ?? true else { continue }
            try options.refuseNobody(at: listening)
            service.ports[index].set(options)
            if options.concernsPorts { service.ports[index].origin = nil }
        }
        service.origin = nil
        services[name] = service
    }

    /// Sets the options that a service has as a whole.
    private static func set(
        _ options: PublishOptions, of service: inout Service, _ name: String
    ) throws(InputError) {
        if let scheduler = options.scheduler { service.scheduler = scheduler }
        if let healthCheck = options.healthCheck { service.healthCheck = healthCheck }
        if let seconds = options.slowStartSeconds { service.slowStartSeconds = seconds == 0 ? nil : seconds }
        if service.slowStartSeconds != nil, let fault = service.scheduler.refusalOfSlowStart(of: name) {
            throw InputError(fault)
        }
        if let balancing = options.balancing {
            try Self.refuse(balancing, for: service, name)
            service.chosenBalancing = balancing
        }
    }

    /// Refuses a balancer that does not reach the service's tasks.
    private static func refuse(_ balancing: Balancing, for service: Service, _ name: String) throws(InputError) {
        guard let stranger = service.tasks.first(where: { ($0.attachment != nil) != (balancing == .ingress) }) else {
            return
        }
        throw InputError(
            balancing == .host
                ? "service \(name) has attached tasks, such as \(stranger.address), which the host's balancer does not "
                    + "reach: leave --network out, or let other tasks take their place with `meshctl task add \(name) ADDRESS "
                    + "--replace`"
                : "service \(name) has tasks that the host's routes reach, such as \(stranger.address), and the balancer on "
                    + "ingress reaches attached tasks only: leave --network out, or let other tasks take their place with "
                    + "`meshctl task attach \(name) --netns NAME --replace`")
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

    /// Adds a task that the host's routes reach to a service, and makes the service if there is none. If the service has
    /// a task with the address, the task's weight and node are changed; of an attached task, only the weight. A task that
    /// drains goes on draining.
    public mutating func addTask(_ task: SpecTask, service name: String) throws(InputError) {
        try Self.validate(serviceName: name)
        try Self.validate(taskAddress: task.address)
        try Self.validate(weight: task.weight)
        var service = services[name] ?? Service()
        if let index = service.tasks.firstIndex(where: { $0.address == task.address && $0.attachment != nil }) {
            services[name]?.tasks[index].weight = task.weight
            return
        }
        try refuseMixture(withReached: task.address, service: name)
        var task = task
        if let present = service.tasks.first(where: { $0.address == task.address }) {
            task.isDraining = present.isDraining
        }
        service.tasks.removeAll { $0.address == task.address }
        service.tasks.append(task)
        service.tasks.sort { $0.address < $1.address }
        services[name] = service
    }

    /// Removes the tasks of a service that a balancer does not reach, so that others can take their place, and forgets
    /// that the operator chose another balancer.
    public mutating func makeWay(for balancing: Balancing, service name: String) {
        guard var service = services[name] else { return }
        service.tasks.removeAll { ($0.attachment != nil) != (balancing == .ingress) }
        if service.chosenBalancing != balancing { service.chosenBalancing = nil }
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

extension PublishOptions {
    /// Whether options of single ports are among those that are set.
    public var concernsPorts: Bool {
        stickySeconds != nil || allowed != nil || sourceIP != nil || drain != nil || maxConnections != nil
    }

    fileprivate func validate() throws(InputError) {
        for network in allowed ?? [] {
            if let fault = network.faultForClients { throw InputError("\(network) \(fault)") }
        }
        if let fault = scheduler?.unsuitability { throw InputError(fault) }
        if let maxConnections { try MeshSpec.validate(maxConnections: maxConnections) }
    }

    /// Refuses clients of another family than the address of a port.
    fileprivate func refuseNobody(at listening: PortBinding) throws(InputError) {
        guard let family = listening.address?.family, let allowed, !allowed.isEmpty,
            !allowed.contains(where: { $0.address.family == family })
        else { return }
        throw InputError("\(listening) is of another family than \(allowed[0]): nobody could reach it")
    }
}

extension PublishedPort {
    fileprivate mutating func set(_ options: PublishOptions) {
        if let seconds = options.stickySeconds { stickySeconds = seconds == 0 ? nil : seconds }
        if let allowed = options.allowed { self.allowed = Array(Set(allowed)).sorted() }
        if let sourceIP = options.sourceIP { self.sourceIP = sourceIP }
        if let drain = options.drain { self.drain = drain }
        if let count = options.maxConnections { maxConnections = count == 0 ? nil : count }
    }
}
