import IPVSKit
import RuleKit

/// The faults of services, of their tasks and of their ports.
extension SpecCheck {
    mutating func check(_ service: MeshSpec.Service, named name: String) {
        let path = SpecPath.service(name)
        if service.slowStartSeconds != nil, let fault = service.scheduler.refusalOfSlowStart(of: name) {
            faults.append(
                SpecFault([
                    .init(path: path("slow-start"), words: fault), .init(path: path("scheduler"), words: fault),
                ]))
        }
        for port in service.ports {
            claim(
                .mark(port.mark), at: .port(port.listening, of: name)("mark"), "mark \(port.mark)",
                of: "port \(port.listening) of service \(name)")
            checkBits(of: port.mark, at: .port(port.listening, of: name)("mark"))
        }
        for (network, virtual) in service.virtualAddresses.sorted(by: { $0.key < $1.key }) {
            let site = path("vips", network)
            if network == MeshNetwork.ingress {
                add(site, "a service has no address of its own on network ingress: leave it out")
            }
            check(virtual.addresses, on: network, at: site, of: "service \(name)", needsAll: true)
            claim(
                .mark(virtual.mark), at: site("mark"), "mark \(virtual.mark)",
                of: "service \(name) on network \(network)")
            checkBits(of: virtual.mark, at: site("mark"))
        }
        for task in service.tasks { check(task, of: name, service) }
    }

    private mutating func checkBits(of mark: FirewallMark, at path: SpecPath) {
        guard mark.rawValue < MarkAllocator.first || mark.rawValue & MarkAllocator.foreignBits != 0 else { return }
        add(path, "mark \(mark) may be another program's: marks begin at 0x100, and have no bit of 0xffc000")
    }

    private mutating func check(_ task: SpecTask, of name: String, _ service: MeshSpec.Service) {
        let path = SpecPath.task(task.address.description, of: name)
        guard let attachment = task.attachment else {
            if service.tasks.contains(where: { $0.attachment != nil }) {
                add(path, "the host's routes reach this task of service \(name), and others are attached")
            } else if service.chosenBalancing == .ingress {
                add(path, "the balancer of service \(name) is ingress, which reaches attached tasks only")
            }
            for (network, value) in spec.networks.sorted(by: { $0.key < $1.key }) {
                guard let subnet = value.subnets.first(where: { $0.contains(task.address) }) else { continue }
                add(
                    path, "\(task.address) is in network \(network), whose tasks are attached",
                    against: .network(network)("subnets", subnet.description),
                    "\(subnet) has the address \(task.address) of a task of service \(name), which the host's routes "
                        + "reach"
                )
            }
            return
        }
        if service.chosenBalancing == .host {
            add(path, "the balancer of service \(name) is host, which reaches no attached tasks")
        }
        if attachment.addresses[MeshNetwork.ingress]?.first != task.address {
            add(path("address"), "\(task.address) is not the first address of the task on network ingress")
        }
        for network in attachment.addresses.keys.sorted()
        where network != MeshNetwork.ingress && service.virtualAddresses[network] == nil
            && spec.networks[network] != nil
        {
            add(
                path("attachment", "networks", network),
                "service \(name) has no address on network \(network): vips must name it")
        }
        // What one namespace has belongs to all tasks that it is.
        if let node = task.node, !placements.insert(TaskPlacement(node: node, attachment: attachment)).inserted {
            return
        }
        check(attachment, of: task, name)
    }

    private mutating func check(_ attachment: TaskAttachment, of task: SpecTask, _ name: String) {
        let path = SpecPath.task(task.address.description, of: name)
        let owner = "task \(task.address) of service \(name)"
        for (network, addresses) in attachment.addresses.sorted(by: { $0.key < $1.key }) {
            let site = path("attachment", "networks", network)
            check(addresses, on: network, at: site, of: owner, needsAll: true)
            claimInterface(addresses, on: "network \(network)", at: site, of: owner)
        }
        guard let nodeName = task.node else {
            add(path("node"), "an attached task needs a node")
            return
        }
        guard let node = spec.nodes[nodeName] else {
            add(
                path("node"), "there is no node \(nodeName)", against: .node(nodeName),
                "\(owner) is on node \(nodeName), and there is no such node")
            return
        }
        claim(
            .namespace(attachment.namespace, node: nodeName), at: path("attachment", "namespace"),
            attachment.namespace, of: owner)
        if let inode = attachment.inode {
            claim(.inode(inode, node: nodeName), at: path("attachment", "inode"), "inode \(inode)", of: owner)
        }
        if let container = attachment.container {
            claim(
                .container(container, node: nodeName), at: path("attachment", "container"), "container \(container)",
                of: owner)
        }
        claimInterface(
            attachment.gatewayAddresses, on: "the gateway bridge of node \(nodeName)",
            at: path("attachment", "gateway"), of: owner)
        for address in attachment.gatewayAddresses {
            let site = path("attachment", "gateway", address.description)
            guard node.gatewaySubnets.contains(where: { $0.canGive(address) }) else {
                let fault = "\(address) is not for tasks on the gateway bridge of node \(nodeName)"
                add(site, fault, against: .node(nodeName)("gateway"), "\(fault), and \(owner) has it")
                continue
            }
            claim(.gatewayAddress(address, node: nodeName), at: site, "\(address)", of: owner)
        }
        let gateways = attachment.gatewayAddresses
        for address in gateways where gateways.contains(where: { $0 != address && $0.family == address.family }) {
            add(
                path("attachment", "gateway", address.description),
                "\(owner) has two \(address.family) addresses on the gateway bridge of node \(nodeName), and needs one")
        }
        checkDefaults(of: attachment, at: path("attachment", "default"), owner)
    }

    /// The addresses by which the default routes of a task lead are its own: addresses of a host, and none of the mesh.
    private mutating func checkDefaults(of attachment: TaskAttachment, at path: SpecPath, _ owner: String) {
        let addresses = attachment.defaultAddresses
        for address in addresses {
            let site = path(address.description)
            if address.faultForNode != nil {
                add(site, "\(address) is no address by which a default route can lead")
            } else if attachment.allocated.contains(address) {
                add(
                    site, "\(address) is an address of \(owner) in the mesh, by which no default route of its own leads"
                )
            } else if addresses.contains(where: { $0 != address && $0.family == address.family }) {
                add(
                    site,
                    "\(owner) has two \(address.family) addresses of default routes, and one is known of each family")
            }
        }
    }

    // MARK: Ports

    mutating func checkPorts(insteadOf former: MeshSpec?) {
        for pair in spec.alikePorts(besides: former) {
            faults.append(
                SpecFault([
                    .init(path: .port(pair.other.listening, of: pair.other.name), words: pair.words),
                    .init(path: .port(pair.one.listening, of: pair.one.name), words: pair.wordsOfTheFirst),
                ]))
        }
        for (service, value) in spec.services.sorted(by: { $0.key < $1.key }) {
            for listening in value.ports.map(\.listening) {
                for (network, port) in spec.networks(carriedBy: listening) {
                    faults.append(
                        SpecFault([
                            .init(
                                path: .port(listening, of: service),
                                words:
                                    "\(listening) is taken: network \(network) sends its packets between the nodes to "
                                    + "UDP port \(port)"),
                            .init(
                                path: .network(network)("port"),
                                words: "UDP port \(port) of network \(network) is published as \(listening) by service "
                                    + "\(service)"),
                        ]))
                }
            }
        }
    }
}
