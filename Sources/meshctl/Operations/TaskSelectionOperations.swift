import IPVSKit
import MeshKit

/// `meshctl task detach`.
struct DetachTasks: JSONOperation, Equatable {
    static let path = "/v1/task/detach"

    var service: String
    var which: TaskSelection
    /// Whether the tasks' connections end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let detached = try await mesh.detach(which, service: service, cutting: now)
        let count = detached.change.spec.services[service]?.tasks.count ?? 0
        return Outcome(
            detached,
            saying: ["Detached \(detached.addresses) from \(service), which has \(counted(count, "task")) left."])
    }
}

extension DetachTasks {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["service"] + TaskSelection.fields + ["now"])
        service = try fields.requiredText("service")
        which = try TaskSelection(fields)
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try which.write(to: &fields)
        try fields.put(flag: now, "now")
    }
}

/// `meshctl task drain`.
struct DrainTasks: JSONOperation, Equatable {
    static let path = "/v1/task/drain"

    var service: String
    var which: TaskSelection

    func perform(on mesh: Mesh) async throws -> Outcome {
        let drained = try await mesh.drain(which, service: service)
        let verb = drained.tasks.count == 1 ? "gets" : "get"
        return Outcome(drained, saying: ["\(drained.addresses) of \(service) \(verb) no new connections."])
    }
}

extension DrainTasks {
    init(from decoder: any Decoder) throws { (service, which) = try TaskSelection.read(decoder) }
    func encode(to encoder: any Encoder) throws { try which.write(of: service, to: encoder) }
}

/// `meshctl task undrain`.
struct UndrainTasks: JSONOperation, Equatable {
    static let path = "/v1/task/undrain"

    var service: String
    var which: TaskSelection

    func perform(on mesh: Mesh) async throws -> Outcome {
        let undrained = try await mesh.undrain(which, service: service)
        let balanced = SavedMesh(undrained.change).spec.services[service]?.balancedTasks ?? []
        let unhealthy = Set(balanced.filter(\.isDraining).map(\.address))
        let (waiting, serving) = (
            undrained.tasks.filter { unhealthy.contains($0.address) },
            undrained.tasks.filter { !unhealthy.contains($0.address) }
        )
        var lines: [String] = []
        if !serving.isEmpty {
            lines.append("\(serving.addresses) of \(service) \(serving.count == 1 ? "gets" : "get") new connections.")
        }
        if !waiting.isEmpty {
            let words =
                waiting.count == 1
                ? "drains no more, but is not healthy: it gets new connections once it is"
                : "drain no more, but are not healthy: they get new connections once they are"
            lines.append("\(waiting.addresses) of \(service) \(words).")
        }
        return Outcome(undrained, saying: lines)
    }
}

extension UndrainTasks {
    init(from decoder: any Decoder) throws { (service, which) = try TaskSelection.read(decoder) }
    func encode(to encoder: any Encoder) throws { try which.write(of: service, to: encoder) }
}

extension TaskChange {
    /// The addresses of the tasks, in words.
    fileprivate var addresses: String { tasks.addresses }
}

extension [SpecTask] {
    /// The addresses of the tasks, in words.
    fileprivate var addresses: String { map { "\($0.address)" }.joined(separator: ", ") }
}

/// Which tasks are meant, as fields of an operation.
extension TaskSelection {
    fileprivate static let fields = ["address", "namespace", "container", "node"]

    fileprivate init(_ fields: OperationFields) throws {
        let node = try fields.text("node")
        switch (
            try fields.value("address", AddressArgument.read), try fields.value("namespace", NamespaceText.path),
            try fields.value("container", ContainerArgument.read)
        ) {
        case (let address?, nil, nil) where node == nil: self = .address(address)
        case (nil, let path?, nil): self = .namespace(path, node: node)
        case (nil, nil, let name?): self = .container(name, node: node)
        case (nil, nil, nil):
            guard let node else {
                throw InputError(
                    "say which task, by its address, namespace or container, or node for all of a node")
            }
            self = .node(node)
        default:
            throw InputError(
                "address, namespace and container each name the task: give one of them; an address is one without a node"
            )
        }
    }

    fileprivate func write(to fields: inout OperationFieldWriter) throws {
        switch self {
        case .address(let address): try fields.put(address, "address")
        case .namespace(let path, let node):
            try fields.put(path, "namespace")
            try fields.put(node, "node")
        case .container(let name, let node):
            try fields.put(name, "container")
            try fields.put(node, "node")
        case .node(let node): try fields.put(node, "node")
        }
    }

    /// Reads an operation that has a service and tasks of it, and no other field.
    fileprivate static func read(_ decoder: any Decoder) throws -> (service: String, Self) {
        let fields = try OperationFields(decoder, ["service"] + Self.fields)
        return (try fields.requiredText("service"), try Self(fields))
    }

    /// Writes an operation that has a service and tasks of it, and no other field.
    fileprivate func write(of service: String, to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try write(to: &fields)
    }
}
