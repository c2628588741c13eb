import IPVSKit
import MeshKit
import RuleKit

/// `meshctl publish`.
struct PublishPorts: JSONOperation, Equatable {
    static let path = "/v1/publish"

    var ports: [PublishText]
    var service: String
    var options = PublishOptions()
    /// Whether the ports are published even if something on this node uses them.
    var force = false
    /// Whether the connections that lose their path end at once.
    var now = false

    var checkedServices: [String] { options.setsHealthCheck ? [service] : [] }

    func perform(on mesh: Mesh) async throws -> Outcome {
        let published = try await mesh.publish(
            ports.map { ($0.listening, $0.target) }, service: service, options: options, force: force, cutting: now)
        return Outcome(published, saying: try lines(SavedMesh(published.change)))
    }

    private func lines(_ saved: SavedMesh) throws -> [String] {
        guard let owner = saved.spec.services[service] else { return [] }
        var lines = try ports.flatMap { try Self.lines(on: $0.listening, of: service, saved) }
        if owner.tasks.isEmpty {
            let verb = owner.balancing == .ingress ? "attach \(service) --netns NAME" : "add \(service) ADDRESS"
            lines.append("next:  meshctl task \(verb)")
        } else if let port = ports.map(\.listening).first(where: { $0.transport == .tcp }),
            let address = try port.address ?? NodeAddress.first(for: owner.tasks.map(\.address.family))
        {
            let url = Destination.ID(address, port: port.ports.lowerBound)
            lines.append("try:   curl http://\(url)/      see:  meshctl status")
        }
        return lines
    }

    /// What became of one port.
    private static func lines(on listening: PortBinding, of service: String, _ saved: SavedMesh) throws -> [String] {
        guard let port = saved.spec.publisher(of: listening)?.port, let owner = saved.spec.services[service] else {
            return []
        }
        let tasks = owner.tasks.filter { owner.balancing == .ingress || port.isFor($0) }
        let client =
            switch try ClientAddress([port], tasks, local: saved.localAddresses, own: NodeAddress.all()) {
            case .kept: "   client address kept"
            case .hidden where owner.balancing == .ingress: "   client address hidden (--source-ip nat)"
            case .hidden: "   client address hidden (see `meshctl task add --help`, --local)"
            case .mixed: "   client address kept for some tasks (see `meshctl task ls \(service)`)"
            case nil: ""
            }
        return [
            "\(port.listening) -> \(service):\(PortBinding.text(of: port.targets))   "
                + "\(counted(tasks.count, "task"))\(owner.balancing == .ingress ? " on ingress" : "")\(client)"
        ]
    }
}

extension PublishPorts {
    init(from decoder: any Decoder) throws {
        let known = ["service", "ports"] + PublishOptions.serviceFields + PublishOptions.portFields + ["force", "now"]
        let fields = try OperationFields(decoder, known)
        ports = try fields.requiredValues("ports", PublishArgument.read)
        service = try fields.requiredText("service")
        options = try PublishOptions(fields)
        force = try fields.flag("force")
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(ports.map(\.description), "ports")
        try fields.put(service, "service")
        try options.write(to: &fields)
        try fields.put(flag: force, "force")
        try fields.put(flag: now, "now")
    }
}

/// `meshctl unpublish`.
struct UnpublishPorts: JSONOperation, Equatable {
    static let path = "/v1/unpublish"

    var ports: [PortBinding]
    /// Whether the connections to the ports end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let ports = Set(ports)
        let publication = try await mesh.unpublish(ports, cutting: now)
        return Outcome(
            publication.change, publication.warnings, saying: ports.sorted().map { "Unpublished \($0)." })
    }
}

extension UnpublishPorts {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["ports", "now"])
        ports = try fields.requiredValues("ports", PortArgument.read)
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(ports.map(\.description), "ports")
        try fields.put(flag: now, "now")
    }
}
