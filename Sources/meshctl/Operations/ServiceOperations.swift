import IPVSKit
import MeshKit
import RuleKit

/// `meshctl service create`.
struct CreateService: JSONOperation, Equatable {
    static let path = "/v1/service/create"

    var service: String
    /// Those of the service; the others are not read.
    var options = PublishOptions()
    var isDry = false

    var checkedServices: [String] { options.setsHealthCheck ? [service] : [] }

    func perform(on mesh: Mesh) async throws -> Outcome {
        try await mesh.edit(isDry: isDry) { [service, options] spec throws(InputError) in
            try spec.createService(service, options: options)
        } summary: { spec in
            "Service \(service) has the scheduler \(spec.services[service]?.scheduler ?? .roundRobin)."
        }
    }
}

extension CreateService {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["service"] + PublishOptions.serviceFields + ["dry-run"])
        service = try fields.requiredText("service")
        options = try PublishOptions(fields)
        isDry = try fields.flag("dry-run")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try options.write(to: &fields)
        try fields.put(flag: isDry, "dry-run")
    }
}

/// `meshctl service set`.
struct SetService: JSONOperation, Equatable {
    static let path = "/v1/service/set"

    let service: String
    /// The ports to change; nil for all of the service.
    let ports: [PortBinding]?
    let options: PublishOptions
    let isDry: Bool
    /// Whether the connections that lose their path end at once.
    let now: Bool

    var checkedServices: [String] { options.setsHealthCheck ? [service] : [] }

    /// - Throws: `InputError` if there is nothing to change, or if ports are to have options of the whole service.
    init(
        service: String, ports: [PortBinding]? = nil, options: PublishOptions, isDry: Bool = false, now: Bool = false
    ) throws(InputError) {
        guard options != PublishOptions() else {
            throw InputError("Say what to change, as in `meshctl service set nginx --scheduler wlc`")
        }
        var ofPorts = options
        (ofPorts.scheduler, ofPorts.balancing, ofPorts.healthCheck, ofPorts.slowStartSeconds) = (nil, nil, nil, nil)
        guard ports == nil || options == ofPorts else {
            throw InputError(
                "--scheduler, --network, --health and --slow-start hold for the whole service: leave the ports out, or "
                    + "set these apart")
        }
        self.service = service
        self.ports = ports
        self.options = options
        self.isDry = isDry
        self.now = now
    }

    func perform(on mesh: Mesh) async throws -> Outcome {
        try await mesh.edit(isDry: isDry, cutting: now ? .service(service) : .none) {
            [service, ports, options] spec throws(InputError) in
            try spec.setOptions(options, ofService: service, ports: ports)
        } summary: { spec in
            let count = ports?.count ?? spec.services[service]?.ports.count ?? 0
            return "Changed service \(service)" + (options.concernsPorts ? ", \(counted(count, "port"))." : ".")
        }
    }
}

extension SetService {
    init(from decoder: any Decoder) throws {
        let known =
            ["service", "ports"] + PublishOptions.serviceFields + PublishOptions.portFields + ["dry-run", "now"]
        let fields = try OperationFields(decoder, known)
        try self.init(
            service: try fields.requiredText("service"), ports: try fields.someValues("ports", PortArgument.read),
            options: try PublishOptions(fields), isDry: try fields.flag("dry-run"), now: try fields.flag("now"))
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try fields.put(ports.map { $0.map(\.description) }, "ports")
        try options.write(to: &fields)
        try fields.put(flag: isDry, "dry-run")
        try fields.put(flag: now, "now")
    }
}

/// `meshctl service rm`.
struct RemoveService: JSONOperation, Equatable {
    static let path = "/v1/service/rm"

    var service: String
    /// Whether the connections of the service end at once.
    var now = false

    func perform(on mesh: Mesh) async throws -> Outcome {
        let change = try await mesh.change(cutting: now ? .service(service) : .none) { [service] spec, _ in
            try spec.removeService(service)
        }
        return Outcome(change, saying: ["Removed service \(service)."])
    }
}

extension RemoveService {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["service", "now"])
        service = try fields.requiredText("service")
        now = try fields.flag("now")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(service, "service")
        try fields.put(flag: now, "now")
    }
}

extension Mesh {
    /// Edits the saved mesh and changes the kernel accordingly; or tells what that would change.
    ///
    /// - Parameters:
    ///   - cut: which connections end at once.
    ///   - summary: a line on what there is after the change.
    fileprivate func edit(
        isDry: Bool, cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec) throws(InputError) -> Void, summary: (MeshSpec) -> String
    ) async throws -> Outcome {
        if isDry {
            return Outcome(
                try await preview { spec, _ in try edit(&spec) }, orElse: "Nothing would change in the mesh.")
        }
        let change = try await change(cutting: cut) { spec, _ in try edit(&spec) }
        return Outcome(
            change, saying: [change.didChange ? summary(change.spec) : "Nothing to do: the mesh is so already."])
    }
}
