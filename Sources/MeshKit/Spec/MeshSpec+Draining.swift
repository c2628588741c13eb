import IPVSKit
import RuleKit

/// Tasks that drain: they stay in the spec, get no new connections, and keep those they have.
extension MeshSpec {
    /// Lets tasks of a service drain. A task that drains already goes on.
    ///
    /// - Returns: the tasks.
    @discardableResult
    public mutating func drain(_ which: TaskSelection, service name: String) throws(InputError) -> [SpecTask] {
        try setDraining(true, which, service: name)
    }

    /// Lets tasks of a service take new connections again.
    ///
    /// - Returns: the tasks.
    @discardableResult
    public mutating func undrain(_ which: TaskSelection, service name: String) throws(InputError) -> [SpecTask] {
        try setDraining(false, which, service: name)
    }

    private mutating func setDraining(
        _ isDraining: Bool, _ which: TaskSelection, service name: String
    ) throws(InputError) -> [SpecTask] {
        let addresses = Set(try tasks(which, service: name).map(\.address))
        var service = try service(name)
        for index in service.tasks.indices where addresses.contains(service.tasks[index].address) {
            service.tasks[index].isDraining = isDraining
        }
        services[name] = service
        return service.tasks.filter { addresses.contains($0.address) }
    }

    /// Ends the drain of all tasks with an attachment, since their namespace is a new one.
    mutating func endDrain(of attachment: TaskAttachment, on node: String) {
        for (name, service) in services {
            for (index, task) in service.tasks.enumerated() where task.node == node && task.attachment == attachment {
                services[name]?.tasks[index].isDraining = false
            }
        }
    }

    /// A note for each published service whose tasks are all said not to be healthy.
    var notesOnHealth: [String] {
        services.sorted { $0.key < $1.key }.filter { !$0.value.ports.isEmpty && $0.value.isInPanic }.map { name, _ in
            "no task of service \(name) is healthy, so all of them get new connections; `meshctl task ls \(name)` lists them"
        }
    }

    /// A note for each published service that takes no new connections, of all families or of one, because its tasks
    /// drain.
    var notesOnDrains: [String] {
        services.sorted { $0.key < $1.key }.compactMap { name, service in
            guard !service.ports.isEmpty, service.tasks.contains(where: \.isDraining) else { return nil }
            let served = Dictionary(
                grouping: service.balancedTasks.flatMap { task in
                    task.addresses(by: service.balancing).map { (family: $0.family, task: task) }
                }, by: \.family
            ).mapValues { $0.map(\.task) }
            let closed = served.filter { _, tasks in
                tasks.contains(where: \.isDraining) && tasks.allSatisfy { $0.share == 0 }
            }
            guard !closed.isEmpty else { return nil }
            let families = closed.count == served.count ? "" : " by \(closed.keys.map(\.description).sorted().joined())"
            return
                "no task of service \(name) takes new connections\(families), which are refused: all of its tasks drain; "
                + "bring one back with `meshctl task undrain \(name) ADDRESS`, or add another"
        }
    }
}
