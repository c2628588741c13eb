public import IPVSKit
import RuleKit

extension MeshSpec {
    /// Attaches a task to the network `ingress` and to user networks, and makes the service if there is none. The task
    /// gets the lowest free address of each subnet of its networks, and one of its node's gateway bridge for each family
    /// in which it has no default route. A user network that is new to the service gives the service an address.
    ///
    /// A namespace that is attached already keeps its addresses: as a task of another service it becomes one of this
    /// service, too, and if it was made anew, its tasks follow it. One that has left and still has connections has the
    /// addresses again that it had.
    ///
    /// - Parameter taken: further marks that a service must not get, besides those of the spec.
    /// - Returns: the task.
    @discardableResult
    public mutating func attach(
        _ request: TaskAttachmentRequest, service name: String, avoiding taken: Set<FirewallMark> = []
    ) throws(InputError) -> SpecTask {
        try Self.validate(serviceName: name)
        try Self.validate(weight: request.weight)
        let node = try node(request.node)
        try refuseMixture(withAttached: request, service: name)
        if let present = try presentAttachment(for: request) {
            return try attach(present, again: request, service: name, avoiding: taken)
        }
        var next = self
        var service = services[name] ?? Service()
        let networks = try self.networks(of: request, service)
        if let address = request.address { try refuseAddress(address, on: networks) }
        service = try next.join(
            networks, service, name, besides: Set(request.address.map { [$0] } ?? []), avoiding: taken)
        let former = formerAttachment(for: request)
        var addresses: [String: [IPAddress]] = [:]
        for network in networks {
            addresses[network] = []
            for subnet in next.networks[network]!.subnets {
                if let wanted = request.address, subnet.contains(wanted) {
                    addresses[network]!.append(wanted)
                } else if let kept = former?.addresses[network]?.first(where: subnet.contains),
                    next.holder(of: kept, in: subnet, of: network) == nil
                {
                    addresses[network]!.append(kept)
                } else {
                    addresses[network]!.append(try next.takeAddress(in: subnet, of: network))
                }
            }
        }
        let task = SpecTask(
            address: addresses[MeshNetwork.ingress]![0], weight: request.weight, node: request.node,
            attachment: TaskAttachment(
                namespace: request.namespace, inode: request.inode, container: request.container, addresses: addresses,
                gatewayAddresses: try gatewayAddresses(for: request, on: node, keeping: former),
                defaultAddresses: request.defaultAddresses.sorted()))
        service.add(task)
        next.services[name] = service
        self = next
        return task
    }

    /// Detaches tasks, and frees their addresses. The service stays on its networks.
    ///
    /// - Returns: the tasks.
    @discardableResult
    public mutating func detach(_ which: TaskSelection, service name: String) throws(InputError) -> [SpecTask] {
        let tasks = try tasks(which, service: name, attachedOnly: true)
        services[name]?.tasks.removeAll(where: tasks.contains)
        return tasks
    }

    /// All attached tasks, sorted by service and address.
    func attachedTasks() -> [(service: String, task: SpecTask, attachment: TaskAttachment)] {
        services.sorted { $0.key < $1.key }.flatMap { name, service in
            service.tasks.compactMap { task in task.attachment.map { (name, task, $0) } }
        }
    }

    // MARK: Refusals

    /// A service has tasks of one kind only, because one balancer serves all of them.
    private func refuseMixture(withAttached request: TaskAttachmentRequest, service name: String) throws(InputError) {
        guard let service = services[name] else { return }
        if let task = service.tasks.first(where: { $0.attachment == nil }) {
            throw InputError(
                "service \(name) has tasks that the host's routes reach, such as \(task.address), and no attached task "
                    + "can stand beside them: let it take their place with --replace, remove them first with "
                    + "`meshctl task rm \(name) \(task.address)`, or attach to another service")
        }
        if service.chosenBalancing == .host {
            throw InputError(
                "the balancer of service \(name) is chosen to be the host's, which does not reach attached tasks: choose "
                    + "another with --replace, or attach to another service")
        }
    }

    /// Refuses a task that the host's routes reach for a service that attached tasks serve.
    func refuseMixture(withReached address: IPAddress, service name: String) throws(InputError) {
        for (network, value) in networks.sorted(by: { $0.key < $1.key })
        where value.subnets.contains(where: { $0.contains(address) }) {
            throw InputError(
                "\(address) is in network \(network), whose tasks are attached: use "
                    + "`meshctl task attach \(name) --netns NAME --address \(address)`")
        }
        guard let service = services[name] else { return }
        if let task = service.tasks.first(where: { $0.attachment != nil }) {
            throw InputError(
                "service \(name) has attached tasks, such as \(task.address), and no task that the host's routes reach "
                    + "can stand beside them: attach this one, too, with `meshctl task attach \(name) --netns NAME`, let it "
                    + "take their place with --replace, or add it to another service")
        }
        if service.chosenBalancing == .ingress {
            throw InputError(
                "the balancer of service \(name) is chosen to be that of network ingress: attach the task with "
                    + "`meshctl task attach \(name) --netns NAME`, choose another balancer with --replace, or add it to "
                    + "another service")
        }
    }

    /// Refuses an address that a task cannot have on any of these networks.
    private func refuseAddress(_ address: IPAddress, on names: [String]) throws(InputError) {
        for name in names {
            guard let network = networks[name], let subnet = network.subnets.first(where: { $0.contains(address) })
            else { continue }
            if let holder = holder(of: address, in: subnet, of: name) {
                throw InputError("\(address) \(holder): choose another address of \(subnet), or leave it out")
            }
            return
        }
        let subnets = names.flatMap { networks[$0]?.subnets ?? [] }.map(\.description)
        throw InputError(
            "\(address) is in no network of the task: choose an address of \(Self.listing(subnets, by: "or")), or leave "
                + "it out")
    }

    /// Why an address of a network's subnet cannot be given, in words; nil if it can.
    func holder(of address: IPAddress, in subnet: IPPrefix, of name: String) -> String? {
        if address == subnet.gateway { return "is the gateway's on network \(name)" }
        guard subnet.canGive(address) else { return "stands for all of network \(name)" }
        if let node = networks[name]?.balancers.sorted(by: { $0.key < $1.key }).first(where: {
            $0.value.contains(address)
        }) {
            return "is the balancer's of node \(node.key) on network \(name)"
        }
        for (service, value) in services.sorted(by: { $0.key < $1.key }) {
            if value.virtualAddresses[name]?.addresses.contains(address) == true {
                return "is the address of service \(service) on network \(name)"
            }
            if let task = value.tasks.first(where: { $0.attachment?.addresses[name]?.contains(address) == true }) {
                let also = task.address == address ? "" : " \(task.address)"
                return "is that of a task\(also) of service \(service) on network \(name)"
            }
        }
        return lookalike(of: address, in: subnet, of: name).map {
            "ends in the same four bytes as \($0), and the interfaces on network \(name) are told apart by these"
        }
    }

    // MARK: Allocation

    /// The networks of a task: `ingress`, and then the user networks in order.
    func networks(of request: TaskAttachmentRequest, _ service: Service) throws(InputError) -> [String] {
        let user = request.networks.map(Set.init) ?? Set(service.virtualAddresses.keys)
        let names = [MeshNetwork.ingress] + user.subtracting([MeshNetwork.ingress]).sorted()
        for name in names { _ = try network(name) }
        return names
    }

    /// Gives a service an address on each of a task's user networks where it has none.
    ///
    /// - Parameter reserved: addresses that it must not be given, such as one that is meant for the task.
    mutating func join(
        _ networks: [String], _ service: Service, _ name: String, besides reserved: Set<IPAddress> = [],
        avoiding taken: Set<FirewallMark>
    ) throws(InputError) -> Service {
        var service = service
        for network in networks where network != MeshNetwork.ingress && service.virtualAddresses[network] == nil {
            service.virtualAddresses[network] = try virtualAddress(on: network, besides: reserved, avoiding: taken)
            services[name] = service
        }
        return service
    }

    private func virtualAddress(
        on network: String, besides reserved: Set<IPAddress>, avoiding taken: Set<FirewallMark>
    ) throws(InputError) -> VirtualAddress {
        var addresses: [IPAddress] = []
        for subnet in networks[network]!.subnets {
            addresses.append(try takeAddress(in: subnet, of: network, besides: reserved))
        }
        return VirtualAddress(addresses: addresses, mark: try MarkAllocator.next(avoiding: marks.union(taken)))
    }

    /// - Parameter former: what the task had before it left, which it gets again where nobody else has it.
    func gatewayAddresses(
        for request: TaskAttachmentRequest, on node: MeshNode, keeping former: TaskAttachment? = nil
    ) throws(InputError) -> [IPAddress] {
        func addresses(_ tasks: [SpecTask]) -> Set<IPAddress> {
            Set(tasks.lazy.filter { $0.node == request.node }.flatMap { $0.attachment?.gatewayAddresses ?? [] })
        }
        let used = addresses(attachedTasks().map(\.task))
        let (reserved, spared) = (used.union(addresses(leaving)), addresses(replaceable))
        var addresses: [IPAddress] = []
        for subnet in node.gatewaySubnets
        where !request.defaultAddresses.contains(where: { $0.family == subnet.family }) {
            if let kept = former?.gatewayAddresses.first(where: subnet.contains), !used.contains(kept) {
                addresses.append(kept)
                continue
            }
            var pool = AddressPool(subnet, used: reserved, sparing: spared)
            guard let address = pool.take() else {
                throw InputError(
                    "the gateway bridge of node \(request.node) has no free address: \(Self.text(of: pool.count)) in use "
                        + "of \(subnet); detach tasks of the node first")
            }
            addresses.append(address)
        }
        return addresses
    }
}

extension MeshSpec.Service {
    /// Adds a task in the order of addresses.
    mutating func add(_ task: SpecTask) {
        tasks.insert(task, at: tasks.firstIndex { task.address < $0.address } ?? tasks.endIndex)
    }
}
