import IPVSKit
import RuleKit

/// Finds the faults of a spec whose parts are valid by themselves: references to nothing, overlaps, and whatever is
/// given twice.
struct SpecCheck {
    private let spec: MeshSpec
    private(set) var faults: [SpecFault] = []
    private var claims: [Claim: (path: SpecPath, owner: String)] = [:]
    private var placements: Set<TaskPlacement> = []
    /// The first addresses of interfaces, by the bridge that they are on, and by what is derived from them.
    private var interfaces: [Interface: (address: IPAddress, path: SpecPath, owner: String)] = [:]

    /// What tells an interface from others on one bridge.
    private struct Interface: Hashable {
        /// The bridge: `network back`, `the gateway bridge of node node1`.
        var bridge: String
        var hardwareAddress: HardwareAddress
    }

    /// What only one part of the spec can have.
    private enum Claim: Hashable {
        case mark(FirewallMark)
        case number(Int)
        case identifier(UInt32)
        case nodeAddress(IPAddress)
        case address(IPAddress, network: String)
        case gatewayAddress(IPAddress, node: String)
        case namespace(String, node: String)
        case inode(UInt64, node: String)
        case container(String, node: String)
    }

    /// The faults of a spec.
    ///
    /// - Parameter former: a spec whose pairs of ports that cannot be told apart are no faults.
    static func faults(of spec: MeshSpec, insteadOf former: MeshSpec? = nil) -> [SpecFault] {
        var check = SpecCheck(spec)
        check.checkNodes()
        check.checkNetworks()
        check.checkSubnets()
        for (name, service) in spec.services.sorted(by: { $0.key < $1.key }) { check.check(service, named: name) }
        check.checkPorts(insteadOf: former)
        return check.faults
    }

    private init(_ spec: MeshSpec) { self.spec = spec }

    private mutating func add(_ path: SpecPath, _ words: String) { faults.append(SpecFault(path, words)) }

    /// Adds a fault of one part that does not fit another.
    private mutating func add(_ path: SpecPath, _ words: String, against other: SpecPath, _ theirs: String) {
        faults.append(SpecFault(path, words, against: .init(path: other, words: theirs)))
    }

    /// - Parameters:
    ///   - what: the thing, as a subject: `mark 0x100`.
    ///   - owner: whose it is: `port 1080/tcp of service nginx`.
    private mutating func claim(_ claim: Claim, at path: SpecPath, _ what: String, of owner: String) {
        if let first = claims[claim] {
            faults.append(
                SpecFault([
                    .init(path: path, words: "\(what) is also that of \(first.owner)"),
                    .init(path: first.path, words: "\(what) is also that of \(owner)"),
                ]))
        } else {
            claims[claim] = (path, owner)
        }
    }

    /// Claims what is derived from the first address of an interface.
    ///
    /// - Parameter bridge: the bridge that the interface is on: `network back`.
    private mutating func claimInterface(
        _ addresses: [IPAddress], on bridge: String, at path: SpecPath, of owner: String
    ) {
        guard let address = addresses.first else { return }
        let interface = Interface(bridge: bridge, hardwareAddress: HardwareAddress(onOverlay: address))
        guard let first = interfaces[interface] else {
            interfaces[interface] = (address, path, owner)
            return
        }
        // The same address for two is a fault by itself.
        guard first.address != address else { return }
        let why = "and interfaces on \(bridge) are told apart by these"
        faults.append(
            SpecFault([
                .init(
                    path: path(address.description),
                    words: "\(address) ends in the same four bytes as \(first.address) of \(first.owner), \(why)"),
                .init(
                    path: first.path(first.address.description),
                    words: "\(first.address) ends in the same four bytes as \(address) of \(owner), \(why)"),
            ]))
    }

    // MARK: Nodes and networks

    private mutating func checkNodes() {
        let addresses = spec.nodes.sorted { $0.value.number < $1.value.number }.compactMap { name, node in
            node.address.map { (name: name, address: $0) }
        }
        let first = addresses.first
        for (name, node) in spec.nodes.sorted(by: { $0.key < $1.key }) {
            let path = SpecPath.node(name)
            claim(.number(node.number), at: path("number"), "number \(node.number)", of: "node \(name)")
            if let address = node.address {
                claim(.nodeAddress(address), at: path("address"), "\(address)", of: "node \(name)")
                for (network, value) in spec.networks.sorted(by: { $0.key < $1.key }) {
                    guard let subnet = value.subnets.first(where: { $0.contains(address) }) else { continue }
                    add(
                        path("address"), "\(address) is in \(subnet) of network \(network), which the nodes carry",
                        against: .network(network)("subnets", subnet.description),
                        "\(subnet) has the address \(address) of node \(name)")
                }
                for (other, value) in spec.nodes.sorted(by: { $0.key < $1.key }) {
                    guard let subnet = value.gatewaySubnets.first(where: { $0.contains(address) }) else { continue }
                    add(
                        path("address"),
                        "\(address) is in \(subnet) of the gateway bridge of node \(other), which could send nothing to it",
                        against: .node(other)("gateway", subnet.description),
                        "\(subnet) has the address \(address) of node \(name)")
                }
            }
            if let address = node.address, let first, address.family != first.address.family {
                add(
                    path("address"),
                    "\(address) is an \(address.family) address, and node \(first.name) is at \(first.address): all nodes "
                        + "reach each other by one family")
            }
            if node.gatewaySubnets.isEmpty { add(path("gateway"), "node \(name) needs a gateway subnet") }
            claimInterface(
                node.gateways, on: "the gateway bridge of node \(name)", at: path("gateway"), of: "the bridge")
        }
    }

    private mutating func checkNetworks() {
        for (name, network) in spec.networks.sorted(by: { $0.key < $1.key }) {
            let path = SpecPath.network(name)
            claim(
                .identifier(network.identifier), at: path("vni"), "VNI \(network.identifier)", of: "network \(name)")
            if network.subnets.isEmpty { add(path("subnets"), "network \(name) needs a subnet") }
            claimInterface(network.gateways, on: "network \(name)", at: path("subnets"), of: "the gateway")
            for (node, addresses) in network.balancers.sorted(by: { $0.key < $1.key }) {
                let site = path("balancers", node)
                if spec.nodes[node] == nil {
                    add(
                        site, "there is no node \(node)", against: .node(node),
                        "network \(name) has a balancer of node \(node), and there is no such node")
                }
                check(addresses, on: name, at: site, of: "the balancer of node \(node)", needsAll: true)
                claimInterface(addresses, on: "network \(name)", at: site, of: "the balancer of node \(node)")
            }
        }
    }

    /// Subnets of networks overlap with nobody's; those of gateway bridges may be the same on several nodes.
    private mutating func checkSubnets() {
        var subnets: [(path: SpecPath, subnet: IPPrefix, owner: String, isNetwork: Bool)] = []
        for (name, network) in spec.networks.sorted(by: { $0.key < $1.key }) {
            let path = SpecPath.network(name)("subnets")
            subnets += network.subnets.map { (path($0.description), $0, "network \(name)", true) }
        }
        for (name, node) in spec.nodes.sorted(by: { $0.key < $1.key }) {
            let path = SpecPath.node(name)("gateway")
            subnets += node.gatewaySubnets.map {
                (path($0.description), $0, "the gateway bridge of node \(name)", false)
            }
        }
        for (index, one) in subnets.enumerated() {
            for other in subnets[..<index] where one.isNetwork || other.isNetwork {
                guard one.owner != other.owner, one.subnet.meets(other.subnet) else { continue }
                faults.append(
                    SpecFault([
                        .init(path: one.path, words: "\(one.subnet) overlaps \(other.subnet) of \(other.owner)"),
                        .init(path: other.path, words: "\(other.subnet) overlaps \(one.subnet) of \(one.owner)"),
                    ]))
            }
        }
    }

    /// Checks addresses on a network: each in one of its subnets, of one family each, and nobody else's.
    private mutating func check(
        _ addresses: [IPAddress], on name: String, at path: SpecPath, of owner: String, needsAll: Bool
    ) {
        guard let network = spec.networks[name] else {
            add(
                path, "there is no network \(name)", against: .network(name),
                "\(owner) is on network \(name), and there is no such network")
            return
        }
        let before = faults.count
        let others = SpecPath.network(name)("subnets")
        for address in addresses {
            let site = path(address.description)
            guard let subnet = network.subnets.first(where: { $0.contains(address) }) else {
                let subnets = MeshSpec.listing(network.subnets.map(\.description), by: "or")
                add(
                    site, "\(address) is not in \(subnets) of network \(name)", against: others,
                    "\(owner) has \(address) on network \(name), which is not in \(subnets)")
                continue
            }
            guard subnet.canGive(address) else {
                let fault = "\(address) is the network's own address or the gateway's on network \(name)"
                add(
                    site, fault, against: others(subnet.description), "\(fault), and that of \(owner)")
                continue
            }
            if addresses.contains(where: { $0 != address && subnet.contains($0) }) {
                add(site, "\(owner) has two addresses of \(subnet) on network \(name), and needs one")
            }
            claim(.address(address, network: name), at: site, "\(address)", of: "\(owner) on network \(name)")
        }
        if needsAll, faults.count == before {
            for subnet in network.subnets where !addresses.contains(where: { subnet.contains($0) }) {
                let fault = "\(owner) has no address of \(subnet) on network \(name)"
                add(path, fault, against: others(subnet.description), fault)
            }
        }
    }

    // MARK: Services

    private mutating func check(_ service: MeshSpec.Service, named name: String) {
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
                    "\(subnet) has the address \(task.address) of a task of service \(name), which the host's routes reach"
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
    }

    // MARK: Ports

    private mutating func checkPorts(insteadOf former: MeshSpec?) {
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
                                    "\(listening) is taken: network \(network) sends its packets between the nodes to UDP "
                                    + "port \(port)"),
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
