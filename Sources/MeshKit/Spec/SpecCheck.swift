import IPVSKit
import RuleKit

/// Finds the faults of a spec whose parts are valid by themselves: references to nothing, overlaps, and whatever is
/// given twice.
struct SpecCheck {
    let spec: MeshSpec
    var faults: [SpecFault] = []
    private var claims: [Claim: (path: SpecPath, owner: String)] = [:]
    var placements: Set<TaskPlacement> = []
    /// The first addresses of interfaces, by the bridge that they are on, and by what is derived from them.
    private var interfaces: [Interface: (address: IPAddress, path: SpecPath, owner: String)] = [:]

    /// What tells an interface from others on one bridge.
    private struct Interface: Hashable {
        /// The bridge: `network back`, `the gateway bridge of node node1`.
        var bridge: String
        var hardwareAddress: HardwareAddress
    }

    /// What only one part of the spec can have.
    enum Claim: Hashable {
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

    mutating func add(_ path: SpecPath, _ words: String) { faults.append(SpecFault(path, words)) }

    /// Adds a fault of one part that does not fit another.
    mutating func add(_ path: SpecPath, _ words: String, against other: SpecPath, _ theirs: String) {
        faults.append(SpecFault(path, words, against: .init(path: other, words: theirs)))
    }

    /// - Parameters:
    ///   - what: the thing, as a subject: `mark 0x100`.
    ///   - owner: whose it is: `port 1080/tcp of service nginx`.
    mutating func claim(_ claim: Claim, at path: SpecPath, _ what: String, of owner: String) {
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
    mutating func claimInterface(
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
                        "\(address) is in \(subnet) of the gateway bridge of node \(other), which could send nothing "
                            + "to it",
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
    mutating func check(
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
}
