public import IPVSKit

/// Which tasks of a service are meant.
public enum TaskSelection: Hashable, Sendable {
    /// The task that has an address; of an attached task, on whichever of its networks.
    case address(IPAddress)
    /// The task whose namespace is at a path of a node. Nil stands for the node on which the command runs.
    case namespace(String, node: String?)
    /// The task that was attached by the name of a container of a node. Nil stands for the node on which the command
    /// runs.
    case container(String, node: String?)
    /// All tasks on a node, or behind it.
    case node(String)
}

extension TaskSelection {
    /// The selection with the name of its node.
    ///
    /// - Parameter own: the name of the node on which the command runs.
    func naming(_ own: String) -> Self {
        switch self {
        case .address, .node: self
        case .namespace(let path, let node): .namespace(path, node: node ?? own)
        case .container(let name, let node): .container(name, node: node ?? own)
        }
    }

    /// The selection in words, after `service nginx has no`.
    ///
    /// - Parameter kind: what kind of task it is about: `task`, `attached task`.
    fileprivate func words(for kind: String) -> String {
        switch self {
        case .address(let address): "\(kind) \(address)"
        case .namespace(let path, let node): "task attached by \(path)" + (node.map { " on node \($0)" } ?? "")
        case .container(let container, let node):
            "task of container \(container)" + (node.map { " on node \($0)" } ?? "")
        case .node(let node): "\(kind) on node \(node)"
        }
    }
}

extension MeshSpec {
    /// The tasks of a service that are meant.
    ///
    /// - Parameter attachedOnly: whether only attached tasks are meant.
    /// - Throws: ``InputError`` if there are none.
    func tasks(
        _ which: TaskSelection, service name: String, attachedOnly: Bool = false
    ) throws(InputError) -> [SpecTask] {
        let tasks = try service(name).tasks.filter { $0.isAmong(which) && (!attachedOnly || $0.attachment != nil) }
        guard !tasks.isEmpty else {
            throw InputError(
                "service \(name) has no \(which.words(for: attachedOnly ? "attached task" : "task")); "
                    + "`meshctl task ls \(name)` lists what it has")
        }
        return tasks
    }
}

extension SpecTask {
    /// Whether the task is among those that are meant.
    func isAmong(_ which: TaskSelection) -> Bool {
        switch which {
        case .address(let address):
            self.address == address || attachment?.addresses.values.contains { $0.contains(address) } == true
        case .namespace(let path, let node): attachment?.namespace == path && self.node == node
        case .container(let name, let node): attachment?.container == name && self.node == node
        case .node(let node): self.node == node
        }
    }
}
