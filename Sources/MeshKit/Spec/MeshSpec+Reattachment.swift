import IPVSKit
import RuleKit

/// Namespaces that are attached already: one that was made anew, and one that serves a further service.
extension MeshSpec {
    /// The attachment that the namespace of a request has already; nil if it has none.
    ///
    /// - Throws: ``InputError`` if the file of the namespace is that of another one, which has ended.
    func presentAttachment(for request: TaskAttachmentRequest) throws(InputError) -> TaskAttachment? {
        let tasks = attachedTasks().filter { $0.task.node == request.node }
        let present = tasks.first { $0.attachment.isOfNamespace(in: request) }
        if let other = tasks.first(where: {
            $0.attachment.namespace == request.namespace && !$0.attachment.isOfNamespace(in: request)
        }) {
            throw InputError(
                "\(request.namespace) is still that of task \(other.task.address) of service \(other.service), whose "
                    + "namespace has ended: "
                    + (other.attachment.container.map { "attach its container \($0) again, or " } ?? "")
                    + "forget the task first with `meshctl task detach \(other.service) \(other.task.address)`")
        }
        return present?.attachment
    }

    /// What the namespace of a request had when it left; nil if it was not attached. A container of the same name is the same
    /// one only if the namespace has ended that it had.
    func formerAttachment(for request: TaskAttachmentRequest) -> TaskAttachment? {
        (replaceable + leaving).lazy.filter { $0.node == request.node }.compactMap(\.attachment).last { attachment in
            attachment.isOfNamespace(in: request)
                && (attachment.inode == request.inode || request.ended.contains(attachment.namespace))
        }
    }

    /// Makes an attached namespace a task of a service. If it was made anew, or has other default routes, all tasks that it
    /// is follow it, with the addresses that they had.
    mutating func attach(
        _ present: TaskAttachment, again request: TaskAttachmentRequest, service name: String,
        avoiding taken: Set<FirewallMark>
    ) throws(InputError) -> SpecTask {
        var (next, attachment) = (self, present)
        if present.isReplaced(in: request) {
            attachment.namespace = request.namespace
            attachment.inode = request.inode
            attachment.defaultAddresses = request.defaultAddresses.sorted()
            attachment.gatewayAddresses = []
            next.replace(present, by: attachment, on: request.node)
            let free = attachment
            attachment.gatewayAddresses = try next.gatewayAddresses(
                for: request, on: try node(request.node), keeping: present)
            next.replace(free, by: attachment, on: request.node)
            next.endDrain(of: attachment, on: request.node)
        }
        var service = next.services[name] ?? Service()
        var task: SpecTask
        if let index = service.tasks.firstIndex(where: {
            $0.node == request.node && $0.attachment == attachment
        }) {
            task = service.tasks[index]
            guard attachment != present || request.isBare, try suits(present, request, service, isNew: false) else {
                throw attachedAlready(request, task, present, of: name)
            }
            task.weight = request.weight
            service.tasks[index] = task
        } else {
            let owner = attachedTasks().first { $0.task.node == request.node && $0.attachment == present }!
            guard try suits(present, request, service, isNew: true) else {
                throw attachedAlready(request, owner.task, present, of: owner.service)
            }
            service = try next.join(attachment.addresses.keys.sorted(), service, name, avoiding: taken)
            task = owner.task
            task.attachment = attachment
            task.isDraining = false
            task.weight = request.weight
            service.add(task)
        }
        next.services[name] = service
        self = next
        return task
    }

    /// Replaces an attachment in all tasks that have it.
    mutating func replace(_ old: TaskAttachment, by new: TaskAttachment, on node: String) {
        for (name, service) in services {
            for (index, task) in service.tasks.enumerated() where task.node == node && task.attachment == old {
                services[name]!.tasks[index].attachment = new
            }
        }
    }

    /// Whether a request wants the networks and the address that the namespace has already.
    ///
    /// - Parameter isNew: whether the task is new to the service, whose networks it needs unless others are wanted.
    private func suits(
        _ present: TaskAttachment, _ request: TaskAttachmentRequest, _ service: Service, isNew: Bool
    ) throws(InputError) -> Bool {
        if let address = request.address, !present.addresses.values.contains(where: { $0.contains(address) }) {
            return false
        }
        let wanted = Set(try networks(of: request, service))
        if request.networks != nil { return wanted == Set(present.addresses.keys) }
        return !isNew || wanted.isSubset(of: present.addresses.keys)
    }

    private func attachedAlready(
        _ request: TaskAttachmentRequest, _ task: SpecTask, _ present: TaskAttachment, of service: String
    ) -> InputError {
        let what = request.container.map { "container \($0)" } ?? request.namespace
        let also =
            present.namespace == request.namespace || present.container != nil ? "" : ", by \(present.namespace),"
        let networks = [MeshNetwork.ingress] + present.addresses.keys.filter { $0 != MeshNetwork.ingress }.sorted()
        return InputError(
            "\(what) is attached already\(also) as task \(task.address) of service \(service), with "
                + "\(networks.count == 1 ? "network" : "the networks") \(Self.listing(networks)); detach it first with "
                + "`meshctl task detach \(service) \(task.address)`")
    }
}

extension TaskAttachment {
    /// Whether the attachment is of the namespace that a request names, or of one that the namespace replaces: by its
    /// file or its container. The numbers of processes are given again, so the file of a container's namespace says
    /// nothing.
    fileprivate func isOfNamespace(in request: TaskAttachmentRequest) -> Bool {
        if let inode, inode == request.inode, !request.ended.contains(namespace) { return true }
        guard container == request.container else { return false }
        return container != nil || namespace == request.namespace
    }

    /// Whether the namespace that a request names replaces that of the attachment, or is the same with other default
    /// routes.
    fileprivate func isReplaced(in request: TaskAttachmentRequest) -> Bool {
        if request.inode != nil, inode == request.inode, namespace == request.namespace,
            Set(defaultAddresses) != Set(request.defaultAddresses)
        {
            return true
        }
        guard container == request.container else { return false }
        if let wanted = request.inode, wanted != inode { return true }
        return container != nil && namespace != request.namespace
    }
}
