import IPVSKit
import RuleKit

extension MeshSpec {
    /// The differences from another spec, a line each, sorted by what they concern.
    func differences(from other: MeshSpec) -> [String] {
        let (old, new) = (other.parts, parts)
        return Set(old.keys).union(new.keys).sorted().compactMap { part in
            switch (old[part], new[part]) {
            case (nil, let new?): "+ \(part): \(new)"
            case (_?, nil): "- \(part)"
            case (let old?, let new?): old == new ? nil : "~ \(part): \(new) (now: \(old))"
            case (nil, nil): nil
            }
        }
    }

    /// All parts in words: what they are called, and what they are like.
    private var parts: [String: String] {
        var parts: [String: String] = [:]
        for (name, node) in nodes {
            let place = node.address.map { "at \($0)" } ?? "without address"
            parts["node \(name)"] =
                "\(place), number \(node.number), gateway \(Self.words(node.gatewaySubnets))"
                + (node.hasZones ? ", with conntrack zones" : "")
        }
        for (name, network) in networks {
            parts["network \(name)"] =
                "VNI \(network.identifier), UDP port \(network.port), \(Self.words(network.subnets))"
            for (node, addresses) in network.balancers {
                parts["network \(name), balancer of node \(node)"] = Self.words(addresses)
            }
        }
        for (name, service) in services {
            parts["service \(name)"] =
                "scheduler \(service.scheduler)" + (service.chosenBalancing.map { ", balancer \($0.rawValue)" } ?? "")
                + (service.healthCheck.map { ", health check \($0)" } ?? "")
                + (service.slowStartSeconds.map { ", slow start \(DurationText.text(of: $0))" } ?? "")
                + Self.words(service.origin)
            for port in service.ports { parts["service \(name), port \(port.listening)"] = Self.words(port) }
            for task in service.tasks { parts["service \(name), task \(task.address)"] = Self.words(task) }
            for (network, virtual) in service.virtualAddresses {
                parts["service \(name), network \(network)"] = "\(Self.words(virtual.addresses)), mark \(virtual.mark)"
            }
        }
        return parts
    }

    private static func words(_ values: [some CustomStringConvertible]) -> String {
        listing(values.map(\.description))
    }

    private static func words(_ port: PublishedPort) -> String {
        var words = "to \(PortBinding.text(of: port.targets)), mark \(port.mark)"
        if let seconds = port.stickySeconds { words += ", sticky \(DurationText.text(of: seconds))" }
        if !port.allowed.isEmpty { words += ", for \(Self.words(port.allowed))" }
        if port.sourceIP != .auto { words += ", source address \(port.sourceIP.rawValue)" }
        if port.drain != .unlimited { words += ", drain \(port.drain.text)" }
        if let count = port.maxConnections { words += ", at most \(count) connections to a task" }
        return words + Self.words(port.origin)
    }

    private static func words(_ origin: Origin?) -> String { origin.map { ", found by \($0)" } ?? "" }

    private static func words(_ task: SpecTask) -> String {
        var words =
            "weight \(task.weight)\(task.isDraining ? ", draining" : "")\(task.isUnhealthy ? ", unhealthy" : "")"
            + (task.node.map { ", node \($0)" } ?? "") + Self.words(task.origin)
        guard let attachment = task.attachment else { return words }
        words += ", attached by \(attachment.namespace)"
        for (network, addresses) in attachment.addresses.sorted(by: { $0.key < $1.key }) {
            words += ", \(network) \(Self.words(addresses))"
        }
        if !attachment.gatewayAddresses.isEmpty { words += ", gateway \(Self.words(attachment.gatewayAddresses))" }
        if !attachment.defaultAddresses.isEmpty { words += ", default \(Self.words(attachment.defaultAddresses))" }
        if let container = attachment.container { words += ", container \(container)" }
        return words + (attachment.inode.map { ", inode \($0)" } ?? "")
    }
}
