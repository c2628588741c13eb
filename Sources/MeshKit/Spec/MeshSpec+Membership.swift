public import IPVSKit
import RuleKit

/// The user networks that services are on.
extension MeshSpec {
    /// Puts services on a user network, with all their attached tasks. Each service and each task gets an address there.
    /// A service that is on the network already stays as it is.
    ///
    /// - Parameter taken: further marks that a service must not get, besides those of the spec.
    public mutating func connect(
        _ names: [String], to network: String, avoiding taken: Set<FirewallMark> = []
    ) throws(InputError) {
        try refuseIngress(network)
        let subnets = try self.network(network).subnets
        var next = self
        for name in Set(names).sorted() {
            let service = try next.service(name)
            if let task = service.tasks.first(where: { $0.attachment == nil }) {
                throw InputError(
                    "service \(name) has tasks that the host's routes reach, such as \(task.address), and only attached "
                        + "tasks are on networks: leave the service out, or attach its tasks instead")
            }
            try refuseOthers(than: names, with: service, name, command: "connect \(network)") {
                $0.virtualAddresses[network] == nil
            }
            next.services[name] = try next.join([network], service, name, avoiding: taken)
            for task in service.tasks {
                guard let present = task.attachment, let node = task.node, present.addresses[network] == nil
                else { continue }
                var attachment = present
                attachment.addresses[network] = []
                for subnet in subnets {
                    attachment.addresses[network]!.append(try next.takeAddress(in: subnet, of: network))
                }
                next.replace(present, by: attachment, on: node)
            }
        }
        self = next
    }

    /// Takes services off a user network, with all their attached tasks, and frees their addresses there.
    public mutating func disconnect(_ names: [String], from network: String) throws(InputError) {
        try refuseIngress(network)
        _ = try self.network(network)
        var next = self
        for name in Set(names).sorted() {
            let service = try next.service(name)
            guard service.virtualAddresses[network] != nil else {
                throw InputError(
                    "service \(name) is not on network \(network); `meshctl network inspect \(network)` lists what is")
            }
            try refuseOthers(than: names, with: service, name, command: "disconnect \(network)") {
                $0.virtualAddresses[network] != nil
            }
            next.services[name]!.virtualAddresses[network] = nil
            for task in service.tasks {
                guard let present = task.attachment, let node = task.node else { continue }
                var attachment = present
                attachment.addresses[network] = nil
                next.replace(present, by: attachment, on: node)
            }
        }
        self = next
    }

    private func refuseIngress(_ network: String) throws(InputError) {
        guard network == MeshNetwork.ingress else { return }
        throw InputError(
            "every attached task is on network ingress: attach a task with `meshctl task attach`, or detach it with "
                + "`meshctl task detach`")
    }

    /// Refuses to leave out a service that shares a namespace with one that is meant: a namespace is on the networks of
    /// all services of which it is a task.
    private func refuseOthers(
        than names: [String], with service: Service, _ name: String, command: String, _ isConcerned: (Service) -> Bool
    ) throws(InputError) {
        for (other, value) in services.sorted(by: { $0.key < $1.key })
        where !names.contains(other) && isConcerned(value) {
            guard
                let task = service.tasks.first(where: { task in
                    value.tasks.contains { $0.node == task.node && $0.attachment == task.attachment }
                })
            else { continue }
            throw InputError(
                "task \(task.address) of service \(name) is one of service \(other), too, on the same networks: name "
                    + "both, as in `meshctl network \(command) \(name) \(other)`")
        }
    }
}
