public import IPVSKit
public import RuleKit

extension MeshState {
    /// Publishes a port of a service, which is made where there is none. Doing it twice does no more than once;
    /// another target for a port of the same service replaces the one it has.
    ///
    /// - Parameter foreignMarks: marks in use that are not ours.
    public mutating func publish(
        _ listening: PortBinding, target: UInt16, service name: String, options: PublishOptions = PublishOptions(),
        avoiding foreignMarks: Set<FirewallMark> = []
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
            let mark = try MarkAllocator.next(avoiding: ownedMarks.union(foreignMarks))
            index = service.ports.firstIndex { listening < $0.listening } ?? service.ports.endIndex
            service.ports.insert(PublishedPort(listening: listening, target: target, mark: mark), at: index)
        }
        if let seconds = options.stickySeconds { service.ports[index].stickySeconds = seconds == 0 ? nil : seconds }
        if let allowed = options.allowed { service.ports[index].allowed = Array(Set(allowed)).sorted() }
        if let sourceIP = options.sourceIP { service.ports[index].sourceIP = sourceIP }
        services[name] = service
    }

    /// Publishes a port no longer. The service stays, with its tasks.
    public mutating func unpublish(_ listening: PortBinding) throws(InputError) {
        guard let (name, port) = publisher(of: listening) else {
            let near = publisher(where: { $0.listening.overlaps(listening) }).map {
                "; did you mean `meshctl unpublish \($0.port.listening)`?"
            }
            throw InputError("\(listening) is not published" + (near ?? "; `meshctl status` lists what is"))
        }
        services[name]?.ports.removeAll { $0.listening == listening }
        retiringMarks.insert(port.mark)
    }

    /// Adds a task to a service, which is made where there is none; or changes the weight and place of a task
    /// that is there.
    public mutating func addTask(_ task: MeshTask, service name: String) throws(InputError) {
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
        let service = try self.service(name)
        retiringMarks.formUnion(service.ports.map(\.mark))
        services[name] = nil
    }

    /// The service of a name.
    public func service(_ name: String) throws(InputError) -> Service {
        guard let service = services[name] else {
            throw InputError("there is no service \(name.debugDescription); `meshctl service ls` lists what is")
        }
        return service
    }

    private static func validate(serviceName name: String) throws(InputError) {
        let isWellFormed =
            name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        let startsWell = name.utf8.first.map {
            ![UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains($0)
        }
        guard isWellFormed, startsWell == true, name.utf8.count <= 63 else {
            let shown = name.utf8.count > 80 ? name.prefix(60).debugDescription + "…" : name.debugDescription
            throw InputError(
                "\(shown) is no service name: letters, digits, '-', '_' and '.', beginning with a letter or digit, "
                    + "63 characters at most")
        }
    }

    private static func validate(_ listening: PortBinding, target: UInt16) throws(InputError) {
        guard Int(target) + listening.ports.count - 1 <= Int(UInt16.max), target != 0 else {
            throw InputError(
                "\(listening) is \(listening.ports.count) ports, and from \(target) on there are fewer: ports end at 65535"
            )
        }
        guard let address = listening.address else { return }
        let fault: String? =
            if address.isLoopback {
                "is the loopback address, which is answered where a port is published for all addresses"
            } else if address.isUnspecified {
                "stands for all addresses: leave it out"
            } else if let ipv4 = address.writtenAsIPv6 {
                "is an IPv4 address written as IPv6: write it as \(ipv4)"
            } else if address.isMulticast || address.isReserved {
                "is no address of a node"
            } else if address.family == .ipv6, address.isLinkLocal {
                "is of one link only, which a port cannot say"
            } else {
                nil
            }
        if let fault { throw InputError("\(address) \(fault)") }
    }

    private static func validate(taskAddress address: IPAddress) throws(InputError) {
        let fault: String? =
            if address.isUnspecified {
                "is no address of a task"
            } else if address.isLoopback {
                "is the loopback address: IPVS cannot balance to it. Let the task listen on an address of this node, "
                    + "and add that"
            } else if address.isMulticast {
                "is a multicast address: a task has an address of its own"
            } else if address.isReserved {
                "is reserved or the broadcast address: a task has an address of its own"
            } else if let ipv4 = address.writtenAsIPv6 {
                "is an IPv4 address written as IPv6: write it as \(ipv4)"
            } else if address.family == .ipv6, address.isLinkLocal {
                "is link-local, and says nothing without its link: add a global or unique local address of the task"
            } else {
                nil
            }
        if let fault { throw InputError("\(address) \(fault)") }
    }
}
