import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// Something that an operator asks for, and what was there before.
struct Edit: Sendable, CustomTestStringConvertible {
    let name: String
    /// Which tool carries the rules before.
    var tool = RuleTool.nftables
    var before: @Sendable (Mesh) async throws -> Void = { _ in }
    var act: @Sendable (FakeNode) async throws -> MeshChange

    var testDescription: String { "\(name) (\(tool))" }

    init(
        _ name: String, _ tool: RuleTool = .nftables,
        before: @escaping @Sendable (Mesh) async throws -> Void = { _ in },
        _ act: @escaping @Sendable (FakeNode) async throws -> MeshChange
    ) {
        self.name = name
        self.tool = tool
        self.before = before
        self.act = act
    }

    static let web = PortBinding(1080, .tcp)
    static let dns = PortBinding(5353, .udp)
    static let range = PortBinding(2000...2009, .tcp)

    /// Two services, three ports, tasks of both families.
    static let standing: @Sendable (Mesh) async throws -> Void = { mesh in
        _ = try await mesh.change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11", node: view.ledger.node), service: "nginx")
            try spec.addTask(SpecTask(address: "10.9.0.12"), service: "nginx")
            try spec.addTask(SpecTask(address: "fd00::11"), service: "nginx")
            try spec.publish(web, target: 80, service: "nginx", avoiding: view.takenMarks)
            try spec.addTask(SpecTask(address: "10.0.0.53"), service: "dns")
            try spec.publish(dns, target: 53, service: "dns", avoiding: view.takenMarks)
        }
    }

    /// The same, with a service whose new tasks start slowly, as one of them does.
    static let starting: @Sendable (Mesh) async throws -> Void = { mesh in
        try await standing(mesh)
        _ = try await mesh.change { spec, _ in
            try spec.setOptions(.init(scheduler: .weightedRoundRobin, slowStartSeconds: 60), ofService: "nginx")
        }
        _ = try await mesh.addTask("10.9.0.13", service: "nginx")
    }

    private static func change(
        _ edit: @escaping @Sendable (inout MeshSpec, MeshView) throws -> Void
    ) -> @Sendable (FakeNode) async throws -> MeshChange {
        { node in try await node.mesh().change { spec, view in try edit(&spec, view) } }
    }

    static let all: [Edit] = RuleTool.allCases.flatMap { tool in
        [
            Edit("the first port of all", tool) { node in
                try await node.mesh(tool: tool).change { spec, view in
                    try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
                    try spec.publish(web, target: 80, service: "nginx", avoiding: view.takenMarks)
                }
            },
            Edit(
                "a port more", tool, before: standing,
                change {
                    try $0.publish(PortBinding(1081, .tcp), target: 80, service: "nginx", avoiding: $1.takenMarks)
                }),
            Edit(
                "a range with another target", tool, before: standing,
                change {
                    try $0.publish(range, target: 3000, service: "nginx", avoiding: $1.takenMarks)
                }),
            Edit(
                "another target of a live port", tool, before: standing,
                change { spec, _ in
                    try spec.publish(web, target: 81, service: "nginx")
                }),
            Edit(
                "a sticky port with a list of who may come", tool, before: standing,
                change { spec, _ in
                    try spec.publish(
                        web, target: 80, service: "nginx",
                        options: .init(stickySeconds: 60, allowed: ["192.168.5.0/24", "fd05::/64"]))
                }),
            Edit(
                "another scheduler", tool, before: standing,
                change { spec, _ in
                    try spec.publish(web, target: 80, service: "nginx", options: .init(scheduler: .maglevHashing))
                }),
            Edit(
                "the client's address hidden", tool, before: standing,
                change { spec, _ in
                    try spec.publish(web, target: 80, service: "nginx", options: .init(sourceIP: .nat))
                }),
            Edit(
                "a task more", tool, before: standing,
                change { spec, _ in
                    try spec.addTask(SpecTask(address: "10.9.0.13"), service: "nginx")
                }),
            Edit(
                "a task more that starts slowly", tool, before: starting,
                change { spec, _ in
                    try spec.addTask(SpecTask(address: "10.9.0.14"), service: "nginx")
                }),
            Edit(
                "no slow start any more", tool, before: starting,
                change { spec, _ in
                    try spec.setOptions(.init(slowStartSeconds: 0), ofService: "nginx")
                }),
            Edit("a task less of those that start slowly, cut", tool, before: starting) { node in
                try await node.mesh().removeTask("10.9.0.12", service: "nginx", cutting: true).change
            },
            Edit(
                "another weight", tool, before: standing,
                change { spec, _ in
                    try spec.addTask(SpecTask(address: "10.9.0.12", weight: 5), service: "nginx")
                }),
            Edit(
                "a task that drains", tool, before: standing,
                change { spec, _ in
                    try spec.addTask(SpecTask(address: "10.9.0.12", weight: 0), service: "nginx")
                }),
            Edit("a task that drains on demand", tool, before: standing) { node in
                try await node.mesh().drain(.address("10.9.0.12"), service: "nginx").change
            },
            Edit("a UDP task that drains", tool, before: standing) { node in
                try await node.mesh().drain(.address("10.0.0.53"), service: "dns").change
            },
            Edit("a task less, cut", tool, before: standing) { node in
                try await node.mesh().removeTask("10.9.0.12", service: "nginx", cutting: true).change
            },
            Edit(
                "the most connections", tool, before: standing,
                change { spec, _ in
                    try spec.setOptions(.init(drain: .seconds(60), maxConnections: 7), ofService: "nginx")
                }),
            Edit(
                "a task less", tool, before: standing,
                change { spec, _ in
                    try spec.removeTask("10.9.0.12", service: "nginx")
                }),
            Edit(
                "the last task of a family less", tool, before: standing,
                change { spec, _ in
                    try spec.removeTask("fd00::11", service: "nginx")
                }),
            Edit(
                "a UDP task replaced", tool, before: standing,
                change { spec, _ in
                    try spec.addTask(SpecTask(address: "10.0.0.54"), service: "dns")
                    try spec.removeTask("10.0.0.53", service: "dns")
                }),
            Edit("a port less", tool, before: standing, change { spec, _ in try spec.unpublish(dns) }),
            Edit("a service less", tool, before: standing, change { spec, _ in try spec.removeService("nginx") }),
            Edit(
                "all ports less", tool, before: standing,
                change { spec, _ in
                    try spec.unpublish(web)
                    try spec.unpublish(dns)
                }),
            Edit(
                "a port that moves to another service", tool, before: standing,
                change { spec, view in
                    try spec.unpublish(web)
                    try spec.addTask(SpecTask(address: "10.0.0.99"), service: "other")
                    try spec.publish(web, target: 8080, service: "other", avoiding: view.takenMarks)
                }),
            Edit("the other tool", tool, before: standing) { node in
                let other: RuleTool = tool == .nftables ? .iptables : .nftables
                return try await node.mesh(tool: other).reconcile()
            },
            Edit("the other tool, with a port more", tool, before: standing) { node in
                let other: RuleTool = tool == .nftables ? .iptables : .nftables
                return try await node.mesh(tool: other).change { spec, view in
                    try spec.publish(PortBinding(1081, .tcp), target: 80, service: "nginx", avoiding: view.takenMarks)
                }
            },
            Edit("reset", tool, before: standing) { node in try await node.mesh().reset() },
        ]
    }
}
