import IPVSKit
import RuleKit

/// What the application of a file takes into account, besides the file and the present spec.
struct ApplyContext: Sendable {
    /// Whether everything that the file's sections leave out is removed.
    var prunes = false
    /// Whether a file is applied although it is older than the present mesh, or lacks edits of it.
    var forces = false
    /// The name of the node on which the file is applied.
    var node: String
    /// The networks of that node's host.
    var host = HostNetworks()
    /// Marks that nothing new must get, besides those of the spec.
    var takenMarks: Set<FirewallMark> = []
    /// What was found in the namespaces of tasks of that node, by the paths.
    var facts: [String: TaskFacts] = [:]
    /// The files of attached namespaces of that node that no longer lead to them.
    var ended: Set<String> = []
    /// Whether that node's kernel has conntrack zones; nil if nobody looked.
    var hasZones: Bool?
    /// Whether connections end at once over what the file takes away.
    var cuts = false
}

/// Builds the spec that a file describes: first from what the file says, then from what has to be allocated.
struct MeshFileApplication {
    let file: MeshFile
    let present: MeshSpec
    let context: ApplyContext
    var next: MeshSpec
    /// The ports that need marks, by service.
    private(set) var portsToMark: [(service: String, port: MeshFile.Port)] = []
    /// The tasks that need addresses, by service.
    private(set) var tasksToAttach: [(service: String, task: MeshFile.Task)] = []
    /// The tasks whose addresses the file says, and whose ways out it may leave out, by service.
    private(set) var tasksToComplete: [(service: String, task: MeshFile.Task)] = []

    /// Stands for a mark that is not allocated yet. No other part of the spec has it: marks begin at 0x100.
    static let noMark: FirewallMark = 1

    init(file: MeshFile, present: MeshSpec, context: ApplyContext) {
        self.file = file
        self.present = present
        self.context = context
        next = present
        next.replaceable = present.attachedTasks().map(\.task)
        if isWhole || (context.prunes && file.nodes != nil) { next.nodes = [:] }
        if isWhole || (context.prunes && file.networks != nil) { next.networks = [:] }
        if isWhole || (context.prunes && file.services != nil) {
            next.services = present.servicesFound(on: context.node)
        }
    }

    var isWhole: Bool { file.generation != nil }

    mutating func run() throws(InputError) -> MeshSpec {
        for (name, node) in sorted(file.nodes) { put(node, name) }
        for (name, network) in sorted(file.networks) { put(network, name) }
        for (name, service) in sorted(file.services) { try put(service, name) }
        // A network keeps clear of published ports, so these come first.
        try allocateMarks()
        try allocateForNodes()
        try allocateForNetworks()
        try allocateVirtualAddresses()
        try attachTasks()
        try completeTasks()
        if !context.cuts { try refuseToTakeAway() }
        try refuseFaults()
        try refuseConflictsWithHost()
        next.replaceable = present.replaceable
        return next
    }

    func sorted<Part>(_ parts: [String: Part]?) -> [(String, Part)] {
        (parts ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    // MARK: What the file says

    private mutating func put(_ node: MeshFile.Node, _ name: String) {
        let old = present.nodes[name]
        next.nodes[name] = MeshNode(
            address: node.address ?? (isWhole ? nil : old?.address), number: node.number ?? old?.number ?? 0,
            gatewaySubnets: node.gatewaySubnets ?? old?.gatewaySubnets ?? [],
            hasZones: node.hasZones ?? (isWhole ? false : old?.hasZones ?? false))
    }

    private mutating func put(_ network: MeshFile.Network, _ name: String) {
        let old = present.networks[name]
        next.networks[name] = MeshNetwork(
            identifier: network.identifier ?? old?.identifier ?? 0,
            port: network.port ?? old?.port ?? 0,
            subnets: network.subnets ?? old?.subnets ?? [], balancers: network.balancers ?? old?.balancers ?? [:])
    }

    private mutating func put(_ described: MeshFile.Service, _ name: String) throws(InputError) {
        let old = present.services[name]
        var described = described
        let isFoundHere = described.leaveOut(foundOn: context.node)
        var service = next.services[name] ?? MeshSpec.Service()
        if !isFoundHere {
            service.origin = described.origin
        } else if next.services[name] == nil, described.ports.isEmpty, described.tasks.isEmpty {
            return
        }
        service.scheduler = described.scheduler ?? old?.scheduler ?? .roundRobin
        service.healthCheck = described.healthCheck ?? (isWhole ? nil : old?.healthCheck)
        service.slowStartSeconds = described.slowStartSeconds ?? (isWhole ? nil : old?.slowStartSeconds)
        if service.slowStartSeconds == 0 { service.slowStartSeconds = nil }
        service.chosenBalancing = described.balancing ?? (isWhole ? nil : old?.chosenBalancing)
        for port in described.ports {
            service.ports.removeAll { $0.listening == port.listening }
            let present = old?.ports.first { $0.listening == port.listening }
            if let mark = port.mark ?? present?.mark {
                service.put(port.published(mark: mark, over: isWhole ? nil : present))
            } else {
                portsToMark.append((name, port))
            }
        }
        for (network, virtual) in described.virtualAddresses {
            let old = old?.virtualAddresses[network]
            // Addresses and marks that are missing are allocated last.
            service.virtualAddresses[network] = VirtualAddress(
                addresses: virtual.addresses ?? old?.addresses ?? [], mark: virtual.mark ?? old?.mark ?? Self.noMark)
        }
        // Tasks that the file describes replace those of the present mesh, and not each other.
        let addresses = Set(described.tasks.compactMap(\.address))
        let namespaces = Set(described.tasks.compactMap { $0.place(on: context.node) })
        service.tasks.removeAll { addresses.contains($0.address) || $0.place.map(namespaces.contains) == true }
        for task in described.tasks { put(task, &service, name) }
        next.services[name] = service
    }

    private mutating func put(_ described: MeshFile.Task, _ service: inout MeshSpec.Service, _ name: String) {
        let old = present.services[name]?.tasks.first {
            $0.address == described.address || ($0.place != nil && $0.place == described.place(on: context.node))
        }
        let task = isWhole ? described : described.filled(from: old)
        guard let attachment = task.attachment, let place = task.place(on: context.node) else {
            service.add(
                SpecTask(
                    address: task.address!, weight: task.weight ?? 1, node: task.node,
                    isDraining: task.isDraining ?? false, isUnhealthy: task.isUnhealthy ?? false, origin: task.origin))
            return
        }
        if let addresses = attachment.addresses, let address = task.address {
            var attached = TaskAttachment(
                namespace: attachment.namespace, inode: attachment.inode, container: attachment.container,
                addresses: addresses, gatewayAddresses: attachment.gatewayAddresses,
                defaultAddresses: attachment.defaultAddresses)
            // A container may have been started anew since the file was written, which its own node knows.
            if place.node == context.node, let known = old?.attachment, known.container != nil,
                known.container == attached.container, known.addresses == addresses
            {
                attached = known
            } else if !isWhole {
                if let known = old?.attachment, old?.place == place, known.addresses == addresses {
                    attached.fill(from: known)
                }
                tasksToComplete.append((name, task))
            }
            service.add(
                SpecTask(
                    address: address, weight: task.weight ?? 1, node: place.node, attachment: attached,
                    isDraining: task.isDraining ?? false, isUnhealthy: task.isUnhealthy ?? false, origin: task.origin))
            return
        }
        // What was allocated for the task stays, unless the file wants it otherwise.
        if var kept = old, kept.place == place, task.address ?? kept.address == kept.address,
            let networks = kept.attachment?.addresses.keys,
            attachment.wants(networks)
        {
            kept.weight = task.weight ?? 1
            kept.isDraining = task.isDraining ?? false
            kept.isUnhealthy = task.isUnhealthy ?? false
            kept.origin = task.origin
            service.add(kept)
            return
        }
        tasksToAttach.append((name, task))
    }
}

/// Where the namespace of an attached task is.
private struct TaskPlace: Hashable {
    var namespace: String
    var node: String
}

extension MeshFile.Task {
    /// - Parameter own: the node of a task that names none.
    fileprivate func place(on own: String) -> TaskPlace? {
        attachment.map { TaskPlace(namespace: $0.namespace, node: node ?? own) }
    }

    /// The task with what the present one has of all that was not said.
    fileprivate func filled(from present: SpecTask?) -> Self {
        guard let present else { return self }
        var task = self
        task.weight = weight ?? present.weight
        task.isDraining = isDraining ?? present.isDraining
        // Nobody else would take back what the task's source has said.
        if task.origin == present.origin { task.isUnhealthy = isUnhealthy ?? present.isUnhealthy }
        if attachment == nil { task.node = node ?? present.node }
        return task
    }
}

extension TaskAttachment {
    /// Takes from the present attachment of the same namespace what a file does not say.
    fileprivate mutating func fill(from present: Self) {
        inode = inode ?? present.inode
        container = container ?? present.container
        if gatewayAddresses.isEmpty { gatewayAddresses = present.gatewayAddresses }
        if defaultAddresses.isEmpty { defaultAddresses = present.defaultAddresses }
    }
}

extension SpecTask {
    fileprivate var place: TaskPlace? {
        attachment.map { TaskPlace(namespace: $0.namespace, node: node ?? "") }
    }
}

extension MeshFile.Service {
    /// Leaves out what sources on a node have found, which that node knows better than any file.
    ///
    /// - Returns: whether a source on the node has made the service itself.
    fileprivate mutating func leaveOut(foundOn node: String) -> Bool {
        ports.removeAll { $0.origin?.node == node }
        tasks.removeAll { $0.origin?.node == node }
        return origin?.node == node
    }
}

extension MeshFile.Port {
    /// - Parameter present: the port of the present mesh, which keeps what the file does not say.
    func published(mark: FirewallMark, over present: PublishedPort?) -> PublishedPort {
        func unlessOff(_ said: UInt32?, _ present: UInt32?) -> UInt32? { said.map { $0 == 0 ? nil : $0 } ?? present }
        var port = PublishedPort(
            listening: listening, target: target, mark: mark,
            stickySeconds: unlessOff(stickySeconds, present?.stickySeconds), allowed: allowed ?? present?.allowed ?? [],
            sourceIP: sourceIP ?? present?.sourceIP ?? .auto, drain: drain ?? present?.drain ?? .unlimited,
            maxConnections: unlessOff(maxConnections, present?.maxConnections))
        port.origin = origin
        return port
    }
}

extension MeshFile.Attachment {
    /// Whether a task on these networks is as the file wants it.
    fileprivate func wants(_ present: some Sequence<String>) -> Bool {
        networks.map { Set($0).union([MeshNetwork.ingress]) == Set(present) } ?? true
    }
}

extension MeshSpec.Service {
    mutating func put(_ port: PublishedPort) {
        ports.insert(port, at: ports.firstIndex { port.listening < $0.listening } ?? ports.endIndex)
    }
}
