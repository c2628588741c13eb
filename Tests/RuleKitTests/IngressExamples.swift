import IPVSKit

@testable import RuleKit

extension Detour {
    static let example = Detour(to: ["169.254.113.2"], by: "meshctl-lo")
}

extension IngressPath {
    static let example = IngressPath(
        addresses: ["169.254.113.6", "fd71::6"], interface: "mesh_sbox", bridge: "mesh_gw",
        subnets: ["172.18.0.0/16", "fd18::/64"])
}

extension TaskReturn {
    static let example = TaskReturn(
        interface: "eth0",
        senders: [
            Sender(hardwareAddress: "02:42:0A:ff:00:02", mark: 0x201),
            Sender(hardwareAddress: "02:42:0a:ff:00:03", mark: 0x202),
        ], subnets: ["10.255.0.0/16", "fd25::/64"], destinations: ["172.18.0.11", "fd18::11"])

    /// The same with a conntrack zone for each sandbox.
    static var zoned: TaskReturn {
        var path = example
        path.hasZones = true
        return path
    }
}

extension RuleRole {
    /// A node with and without a detour, a sandbox, and a task; each has rules even if nothing is published.
    static let examples: [RuleRole] = [
        .balancer(detour: nil, ingress: .example), .balancer(detour: .example, ingress: .example),
        .balancer(detour: nil, ingress: .example, sourcePorts: 1024...21023),
        .balancer(detour: nil, ingress: .example, mtu: 1450), .balancer(detour: nil, ingress: .example, mtu: 1350),
        .task(.example), .task(.zoned),
    ]
}
