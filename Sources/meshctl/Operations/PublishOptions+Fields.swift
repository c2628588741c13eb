import IPVSKit
import MeshKit
import RuleKit

/// The options of a service and its ports as fields of an operation.
extension PublishOptions {
    /// The fields of the options that hold for the service.
    static let serviceFields = ["scheduler", "balancer", "health", "slow-start"]
    /// The fields of the options that each port has of its own.
    static let portFields = ["sticky", "allow", "source-ip", "drain", "max-conns"]

    /// Reads those fields that the operation can have.
    init(_ fields: OperationFields) throws {
        self.init(
            scheduler: try fields.value("scheduler", SchedulerArgument.read),
            stickySeconds: try fields.value("sticky", DurationArgument.read),
            sourceIP: try fields.value("source-ip", SourceIPArgument.read),
            drain: try fields.value("drain", DrainArgument.read),
            maxConnections: try fields.value("max-conns", MaxConnectionsArgument.read),
            balancing: try fields.value("balancer", BalancingArgument.read),
            healthCheck: try fields.value("health", HealthArgument.read).map(\.check),
            slowStartSeconds: try fields.value("slow-start", DurationArgument.read))
        // An empty list stands for all networks, as in mesh files.
        if let allow = try fields.values("allow", AllowArgument.read) {
            allowed = try AllowArgument.networks(allow) ?? []
        }
    }

    func write(to fields: inout OperationFieldWriter) throws {
        try fields.put(scheduler?.rawValue, "scheduler")
        try fields.put(balancing, "balancer")
        try fields.put(healthCheck.map { $0?.description ?? "off" }, "health")
        try fields.put(slowStartSeconds.map(DurationText.text), "slow-start")
        try fields.put(stickySeconds.map(DurationText.text), "sticky")
        try fields.put(allowed.map { $0.map(\.description) }, "allow")
        try fields.put(sourceIP, "source-ip")
        try fields.put(drain?.text, "drain")
        if maxConnections == 0 {
            try fields.put("off", "max-conns")
        } else {
            try fields.put(maxConnections, "max-conns")
        }
    }
}
