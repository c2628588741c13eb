import IPVSKit
import TestSupport
import Testing

@testable import RuleKit

extension RuleSet {
    /// A node that sends some ports into its sandbox, and balances others itself.
    static var nodeWithSandbox: RuleSet {
        var rules = RuleSet.everything
        rules.role = .balancer(
            detour: Detour(to: ["10.99.0.2"], by: "mesh0"),
            ingress: IngressPath(
                addresses: ["169.254.113.6", "fd71::6"], interface: "mesh_sbox", bridge: "mesh_gw",
                subnets: ["172.18.0.0/16", "fd18::/64"]))
        rules.ports[PortBinding(4080, .tcp)] = PortRule(mark: 0x200, target: 80, isElsewhere: true)
        rules.ports[PortBinding(4081, .udp)] = PortRule(
            mark: 0x201, allowed: ["10.0.0.0/8", "::/0"], isElsewhere: true)
        rules.ports[PortBinding(4082, .sctp)] = PortRule(mark: 0x202, isElsewhere: true)
        rules.ports[PortBinding(5000...5099, .tcp)] = PortRule(mark: 0x203, allowed: [], isElsewhere: true)
        rules.ports[PortBinding(5000...5099, .udp, at: "fd01::1")] = PortRule(mark: 0x204, isElsewhere: true)
        rules.ports[PortBinding(4083, .sctp, at: "10.1.0.1")] = PortRule(
            mark: 0x205, allowed: ["10.1.0.0/24"], isElsewhere: true)
        rules.insiders = ["172.17.0.0/16", "172.17.3.0/24", "192.168.7.7", "fd17::/64", "fd17:0:0:1::/64"]
        return rules
    }

    /// The sandbox itself.
    static var sandbox: RuleSet {
        var rules = RuleSet.everything
        rules.role = .balancer(detour: nil, sourcePorts: 1024...21023, mtu: 1450)
        return rules
    }

    /// A task that sandboxes of three nodes send connections to.
    static var task: RuleSet {
        RuleSet(
            role: .task(
                TaskReturn(
                    interface: "eth0",
                    senders: [
                        .init(hardwareAddress: "02:42:0a:ff:00:02", mark: 0x7102),
                        .init(hardwareAddress: "02:42:0A:FF:00:03", mark: 0x7103),
                        .init(hardwareAddress: "02:42:0a:ff:00:04", mark: 0x7101),
                    ], subnets: ["10.255.0.0/16", "fd25::/64"], destinations: ["172.18.0.11", "fd18::11"])))
    }

    /// The same with a conntrack zone for each sandbox.
    static var zonedTask: RuleSet {
        var rules = task
        guard case .task(var path) = rules.role else { return rules }
        path.hasZones = true
        rules.role = .task(path)
        return rules
    }
}

extension BackendHost {
    /// Installs rules, reads them back, sees each damage and mends it, and takes the rules away.
    ///
    /// - Parameter damages: commands of the shell, each with a part of the fault that it causes.
    func checkRole(_ rules: RuleSet, damages: [(command: String, fault: String)]) async throws {
        try await reconcile(rules)
        let found = try await backend.read(expecting: rules.role)
        #expect(found.skeleton == .intact)
        #expect(found.elements == backend.render(rules).elements)
        try #require(try await changes(to: rules).isEmpty)
        for (command, fault) in damages {
            try await namespace.check("sh", "-e", "-c", command)
            guard case .damaged(let faults) = try await backend.read(expecting: rules.role).skeleton else {
                Issue.record("unseen: \(command)")
                continue
            }
            #expect(faults.contains { $0.description.contains(fault) }, "after \(command): \(faults)")
            try await reconcile(rules)
            try #require(try await changes(to: rules).isEmpty, "after \(command)")
        }
        try await backend.apply([.uninstall])
        #expect(try await backend.read(expecting: rules.role) == ObservedRules())
    }
}
