import IPVSKit
import RuleKit

/// What sources of tasks have found, as parts of the spec.
extension MeshSpec {
    /// What is known of this node when the tasks of a source are taken over.
    struct FoundContext {
        /// The facts of the namespaces that are attached anew, by their paths.
        var facts: [String: TaskFacts] = [:]
        /// The files of attached namespaces that no longer lead to them.
        var ended: Set<String> = []
        /// Marks that nothing new must get, besides those of the spec.
        var takenMarks: Set<FirewallMark> = []
        /// The networks that the host has apart from the mesh.
        var host = HostNetworks()
        /// Why ports cannot be published on this node, by port.
        var refusedPorts: [PortBinding: String] = [:]
        /// The tasks of which nothing new is taken over, by name. What the spec has of them stays.
        var putOff: Set<String> = []
    }

    /// Makes the spec hold what a source has found: its tasks, the ports that they ask for, and services for them. Parts
    /// of the same origin that the source does not report any more leave the spec. What the operator has put there, or
    /// another origin, stays as it is; so does whatever the operator has set of a found part.
    ///
    /// - Returns: what cannot be done, in words.
    mutating func takeOver(_ found: [FoundTask], of origin: Origin, in context: FoundContext) -> [String] {
        let former = self
        replaceable = attachedTasks().map(\.task).filter { $0.origin == origin }
        defer { replaceable = former.replaceable }
        let found = found.sorted { $0.name < $1.name }
        var notes = found.flatMap(\.faults)
        let wanted = found.filter { !$0.isOnlyListed && !context.putOff.contains($0.name) }
        follow(containers: wanted, of: origin, in: context, &notes)
        let placed = placed(found, of: origin, &notes)
        removeParts(of: origin, except: placed)
        for (task, service) in placed where context.putOff.contains(task.name) && !task.isOnlyListed {
            judge(task, of: service, origin)
        }
        let names = Set(wanted.map(\.name))
        let described = placed.filter { names.contains($0.task.name) }
        for (task, service) in described { add(task, to: service, of: origin, in: context, &notes) }
        publishPorts(of: described, origin, in: context, &notes)
        notes += removeAlikePorts(of: origin, besides: former)
        // The options of the first container by name hold.
        for (task, name) in described.reversed() where services[name]?.origin == origin {
            if let scheduler = task.options.scheduler { services[name]!.scheduler = scheduler }
            if let check = task.options.healthCheck { services[name]!.healthCheck = check }
            if let seconds = task.options.slowStartSeconds {
                services[name]!.slowStartSeconds = seconds == 0 ? nil : seconds
            }
        }
        for (name, service) in services.sorted(by: { $0.key < $1.key })
        where service.origin == origin && service.slowStartSeconds != nil {
            guard let fault = service.scheduler.refusalOfSlowStart(of: name) else { continue }
            services[name]!.slowStartSeconds = nil
            notes.append(fault)
        }
        for (name, service) in services where service.origin == origin && service.isEmpty { services[name] = nil }
        return notes
    }

    private mutating func removeParts(of origin: Origin, except placed: [(task: FoundTask, service: String)]) {
        for (name, service) in services {
            let own = placed.filter { $0.service == name }.map(\.task)
            let addresses = Set(own.filter { $0.attachment == nil }.flatMap(\.addresses))
            let containers = Set(own.filter { $0.attachment != nil }.map(\.name))
            let ports = Set(own.flatMap(\.ports).map(\.listening))
            var service = service
            service.tasks.removeAll { task in
                guard task.origin == origin else { return false }
                guard let attachment = task.attachment else { return !addresses.contains(task.address) }
                return attachment.container.map { !containers.contains($0) } ?? true
            }
            service.ports.removeAll { $0.origin == origin && !ports.contains($0.listening) }
            services[name] = service
        }
    }

    /// The spec without what comes and goes by itself: what sources have found, and what a container has anew each time that
    /// it is started.
    var withoutFoundParts: Self {
        var spec = self
        spec.services = services(keeping: { $0 == nil })
        for (name, service) in spec.services {
            for (index, task) in service.tasks.enumerated() {
                guard let attachment = task.attachment, attachment.container != nil else { continue }
                spec.services[name]!.tasks[index].attachment = TaskAttachment(
                    namespace: "", inode: nil, container: attachment.container, addresses: attachment.addresses,
                    gatewayAddresses: [], defaultAddresses: [])
            }
        }
        return spec
    }

    /// Who has found tasks and ports that are not in another spec.
    func origins(besides other: MeshSpec) -> Set<Origin> {
        var origins: Set<Origin> = []
        for (name, service) in services {
            let others = other.services[name]
            let (tasks, ports) = (service.tasks.filter { $0.origin != nil }, service.ports.filter { $0.origin != nil })
            guard !tasks.isEmpty || !ports.isEmpty else { continue }
            let (kept, published) = (others?.tasks.map(\.address) ?? [], others?.ports.map(\.listening) ?? [])
            origins.formUnion(tasks.filter { !kept.contains($0.address) }.compactMap(\.origin))
            origins.formUnion(ports.filter { !published.contains($0.listening) }.compactMap(\.origin))
        }
        return origins
    }

    /// The parts of services that sources on a node have found.
    func servicesFound(on node: String) -> [String: Service] { services(keeping: { $0?.node == node }) }

    /// The services with the parts of some origins, nil for the operator's; without services of other origins that have
    /// no such part.
    private func services(keeping isKept: (Origin?) -> Bool) -> [String: Service] {
        services.compactMapValues { service in
            var service = service
            service.ports.removeAll { !isKept($0.origin) }
            service.tasks.removeAll { !isKept($0.origin) }
            return isKept(service.origin) || !service.isEmpty ? service : nil
        }
    }

    // MARK: Tasks

    /// Gives what a service has of a task the weight and the health that the task has now.
    private mutating func judge(_ found: FoundTask, of service: String, _ origin: Origin) {
        for (index, task) in (services[service]?.tasks ?? []).enumerated() where task.origin == origin {
            let isFound =
                task.attachment.map { $0.container == found.name } ?? found.addresses.contains(task.address)
            guard isFound else { continue }
            services[service]!.tasks[index].weight = found.weight
            services[service]!.tasks[index].isUnhealthy = !found.isHealthy
        }
    }

    private mutating func add(
        _ task: FoundTask, to service: String, of origin: Origin, in context: FoundContext, _ notes: inout [String]
    ) {
        let isNew = services[service] == nil
        do throws(InputError) {
            if let attachment = task.attachment {
                try attach(task, attachment, to: service, of: origin, in: context)
            } else if task.addresses.isEmpty {
                throw InputError(
                    "it has no address that this node's routes reach; join it to a bridge network of its engine, or "
                        + "attach it to the mesh's by the label meshctl.network=ingress")
            } else {
                for address in task.addresses { try add(task, at: address, to: service, of: origin) }
            }
        } catch {
            notes.append("container \(task.name) is no task of service \(service): \(error.description)")
        }
        if isNew { services[service]?.origin = origin }
    }

    private mutating func add(
        _ found: FoundTask, at address: IPAddress, to service: String, of origin: Origin
    ) throws(InputError) {
        if let present = services[service]?.tasks.first(where: { $0.address == address }), present.origin != origin {
            return
        }
        try addTask(
            SpecTask(
                address: address, weight: found.weight, node: origin.node, isUnhealthy: !found.isHealthy,
                origin: origin),
            service: service)
    }

    private mutating func attach(
        _ found: FoundTask, _ wanted: FoundTask.Attachment, to service: String, of origin: Origin,
        in context: FoundContext
    ) throws(InputError) {
        func isFound(_ task: SpecTask) -> Bool {
            task.node == origin.node && task.attachment?.container == found.name
        }
        if !(services[service]?.tasks.contains(where: isFound) ?? false) {
            guard let facts = context.facts[wanted.namespace] else {
                throw InputError("there is no namespace \(wanted.namespace)")
            }
            var next = self
            if next.nodes[origin.node] == nil || next.networks[MeshNetwork.ingress] == nil {
                try next.ensureIngress(node: origin.node, avoiding: context.host)
            }
            var request = TaskAttachmentRequest(
                namespace: wanted.namespace, inode: facts.inode, container: found.name, node: origin.node,
                networks: wanted.networks, weight: found.weight, defaultAddresses: facts.defaultAddresses)
            request.ended = context.ended
            let task = try next.attach(request, service: service, avoiding: context.takenMarks)
            self = next
            if let index = services[service]?.tasks.firstIndex(of: task) {
                services[service]?.tasks[index].origin = origin
            }
        }
        guard let index = services[service]?.tasks.firstIndex(where: { isFound($0) && $0.origin == origin }) else {
            return
        }
        services[service]?.tasks[index].weight = found.weight
        services[service]?.tasks[index].isUnhealthy = !found.isHealthy
    }

    /// Lets attached containers that were started anew keep their addresses, whoever has attached them.
    private mutating func follow(
        containers found: [FoundTask], of origin: Origin, in context: FoundContext, _ notes: inout [String]
    ) {
        for container in found {
            guard let namespace = container.namespace, let facts = context.facts[namespace] else { continue }
            let owner = attachedTasks().first {
                $0.task.node == origin.node && $0.attachment.container == container.name
                    && ($0.attachment.namespace != namespace || $0.attachment.inode != facts.inode)
            }
            guard let owner else { continue }
            var request = TaskAttachmentRequest(
                namespace: namespace, inode: facts.inode, container: container.name, node: origin.node,
                weight: owner.task.weight, defaultAddresses: facts.defaultAddresses)
            request.ended = context.ended
            do throws(InputError) {
                try attach(request, service: owner.service, avoiding: context.takenMarks)
            } catch {
                notes.append("container \(container.name) was started anew, and is not attached: \(error.description)")
            }
        }
    }

    // MARK: Ports

    private mutating func publishPorts(
        of placed: [(task: FoundTask, service: String)], _ origin: Origin, in context: FoundContext,
        _ notes: inout [String]
    ) {
        var asked: [PortBinding: (task: FoundTask, port: FoundTask.Port, service: String)] = [:]
        for (task, service) in placed {
            for port in task.ports {
                if let first = asked[port.listening] {
                    if first.service != service {
                        notes.append(
                            "container \(task.name) asks for \(port.listening), which container \(first.task.name) has "
                                + "published for service \(first.service): give both the same label meshctl.service, or "
                                + "other ports")
                    } else if first.port != port {
                        notes.append(
                            "container \(task.name) asks for port \(port.target) behind \(port.listening), which container "
                                + "\(first.task.name) has led to port \(first.port.target): give both the same label")
                    }
                    continue
                }
                asked[port.listening] = (task, port, service)
                do throws(InputError) {
                    try publish(port, for: task, service: service, of: origin, in: context)
                } catch {
                    notes.append("container \(task.name) asks for \(port.listening): \(error.description)")
                }
            }
        }
    }

    private mutating func publish(
        _ port: FoundTask.Port, for task: FoundTask, service: String, of origin: Origin, in context: FoundContext
    ) throws(InputError) {
        let present = publisher(of: port.listening)
        if let present, present.name == service, present.port.origin != origin {
            guard present.port.target != port.target else { return }
            throw InputError(
                "the operator has published it to port \(present.port.target); unpublish it there, or change the label")
        }
        let isNew = services[service] == nil
        if let reason = context.refusedPorts[port.listening] {
            services[service]?.ports.removeAll { $0.listening == port.listening && $0.origin == origin }
            throw InputError(reason)
        }
        let chosen = services[service]?.origin
        var options = task.options
        (options.scheduler, options.healthCheck, options.slowStartSeconds) = (nil, nil, nil)
        try publish(
            port.listening, target: port.target, service: service, options: options,
            avoiding: context.takenMarks)
        services[service]?.origin = isNew ? origin : chosen
        if let index = services[service]?.ports.firstIndex(where: { $0.listening == port.listening }) {
            services[service]?.ports[index].origin = origin
        }
    }
}

extension MeshSpec.Service {
    /// Whether the service has nothing.
    fileprivate var isEmpty: Bool { ports.isEmpty && tasks.isEmpty }
}
