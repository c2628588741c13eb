import IPVSKit
import MeshKit

/// `meshctl task add`.
struct AddTask: JSONOperation, Equatable {
    static let path = "/v1/task/add"

    var service: String
    var address: IPAddress
    var weight: UInt32 = 1
    /// Whether the task is behind this node, so that its replies come back through it.
    var isLocal = false
    /// Whether the task takes the place of the service's attached tasks.
    var replaces = false
    /// Whether the connections that lose their path end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        var added = try await mesh.addTask(
            address, weight: weight, isLocal: isLocal, service: service, replacing: replaces, cutting: now)
        let tasks = added.change.spec.services[service]?.tasks ?? []
        if tasks.first(where: { $0.address == address })?.isDraining == true {
            added.warnings.append(
                "\(address) drains, and gets no new connections: end that with `meshctl task undrain \(service) "
                    + "\(address)`"
            )
        }
        return Outcome(added, saying: ["\(service) has \(counted(tasks.count, "task")), including \(address)."])
    }
}

extension AddTask {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["service", "address", "weight", "local", "replace", "now"])
        service = try fields.requiredText("service")
        address = try fields.requiredValue("address", AddressArgument.read)
        weight = try fields.number("weight") ?? weight
        isLocal = try fields.flag("local")
        replaces = try fields.flag("replace")
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try fields.put(address, "address")
        try fields.put(weight, "weight")
        try fields.put(flag: isLocal, "local")
        try fields.put(flag: replaces, "replace")
        try fields.put(flag: now, "now")
    }
}

/// `meshctl task rm`.
struct RemoveTask: JSONOperation, Equatable {
    static let path = "/v1/task/rm"

    var service: String
    var address: IPAddress
    /// Whether the task's connections end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let removed = try await mesh.removeTask(address, service: service, cutting: now)
        let count = removed.change.spec.services[service]?.tasks.count ?? 0
        return Outcome(
            removed, saying: ["Removed \(address) from \(service), which has \(counted(count, "task")) left."])
    }
}

extension RemoveTask {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["service", "address", "now"])
        service = try fields.requiredText("service")
        address = try fields.requiredValue("address", AddressArgument.read)
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try fields.put(address, "address")
        try fields.put(flag: now, "now")
    }
}

/// `meshctl task attach`.
struct AttachTask: JSONOperation, Equatable {
    static let path = "/v1/task/attach"

    var service: String
    /// The file that refers to the task's network namespace.
    var namespace: String
    /// The name of the container whose namespace it is; nil if it was named otherwise.
    var container: String?
    /// The task's node; nil for this one.
    var node: String?
    /// The user networks; nil for those that the service is on.
    var networks: [String]?
    /// An address of the task on one of its networks; nil for the lowest free ones.
    var address: IPAddress?
    var weight: UInt32 = 1
    /// Whether the task takes the place of the service's tasks that the host's routes reach.
    var replaces = false
    /// Whether the connections that lose their path end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let attached = try await mesh.attach(
            namespace, container: container, service: service, node: node, networks: networks, address: address,
            weight: weight, replacing: replaces, cutting: now)
        let count = attached.change.spec.services[service]?.tasks.count ?? 0
        return Outcome(
            attached,
            saying: attached.tasks.flatMap { task in
                ["\(service) has \(counted(count, "task")), including \(task.address) on node \(task.node ?? "-")."]
                    + AttachmentFields(task).lines
            })
    }
}

extension AttachTask {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(
            decoder,
            ["service", "namespace", "container", "node", "networks", "address", "weight", "replace", "now"])
        service = try fields.requiredText("service")
        namespace = try fields.requiredValue("namespace", NamespaceText.path)
        container = try fields.value("container", ContainerArgument.read)
        node = try fields.text("node")
        networks = try fields.texts("networks")
        address = try fields.value("address", AddressArgument.read)
        weight = try fields.number("weight") ?? weight
        replaces = try fields.flag("replace")
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try fields.put(namespace, "namespace")
        try fields.put(container, "container")
        try fields.put(node, "node")
        try fields.put(networks, "networks")
        try fields.put(address, "address")
        try fields.put(weight, "weight")
        try fields.put(flag: replaces, "replace")
        try fields.put(flag: now, "now")
    }
}
