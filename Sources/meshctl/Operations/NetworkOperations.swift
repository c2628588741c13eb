import IPVSKit
import MeshKit
import RuleKit

/// `meshctl network create`.
struct CreateNetwork: JSONOperation, Equatable {
    static let path = "/v1/network/create"

    var network: String
    /// Empty for free ones.
    var subnets: [IPPrefix] = []
    /// The VXLAN network identifier; nil for the lowest free one.
    var identifier: UInt32?

    func perform(on mesh: Mesh) async throws -> Outcome {
        let created = try await mesh.createNetwork(network, subnets: subnets, identifier: identifier)
        let made = try created.change.spec.network(network)
        let subnets = made.subnets.map(\.description).joined(separator: " and ")
        return Outcome(created, saying: ["Network \(network) has \(subnets), VNI \(made.identifier)."])
    }
}

extension CreateNetwork {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["network", "subnets", "vni"])
        network = try fields.requiredText("network")
        subnets = try fields.values("subnets", SubnetArgument.read) ?? []
        identifier = try fields.number("vni")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(network, "network")
        try fields.put(subnets.isEmpty ? nil : subnets, "subnets")
        try fields.put(identifier, "vni")
    }
}

/// A network, and services that are to be on it or off it.
struct NetworkMembers: Codable, Equatable, Sendable {
    var network: String
    var services: [String]

    init(network: String, services: [String]) {
        self.network = network
        self.services = services
    }

    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["network", "services"])
        network = try fields.requiredText("network")
        services = try fields.requiredTexts("services")
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(network, "network")
        try fields.put(services, "services")
    }
}

/// `meshctl network connect`.
struct ConnectServices: JSONOperation, Equatable {
    static let path = "/v1/network/connect"

    var members: NetworkMembers

    func perform(on mesh: Mesh) async throws -> Outcome {
        let network = members.network
        let connected = try await mesh.connect(members.services, to: network)
        return Outcome(
            connected,
            saying: members.services.map { service in
                let addresses = connected.change.spec.services[service]?.virtualAddresses[network]?.addresses ?? []
                let list = addresses.map(\.description).joined(separator: " and ")
                return "Service \(service) has \(list) on network \(network)."
            })
    }
}

extension ConnectServices {
    init(from decoder: any Decoder) throws { members = try NetworkMembers(from: decoder) }
    func encode(to encoder: any Encoder) throws { try members.encode(to: encoder) }
}

/// `meshctl network disconnect`.
struct DisconnectServices: JSONOperation, Equatable {
    static let path = "/v1/network/disconnect"

    var members: NetworkMembers

    func perform(on mesh: Mesh) async throws -> Outcome {
        let change = try await mesh.disconnect(members.services, from: members.network)
        return Outcome(
            change,
            saying: members.services.map { "Service \($0) is not on network \(members.network) any more." })
    }
}

extension DisconnectServices {
    init(from decoder: any Decoder) throws { members = try NetworkMembers(from: decoder) }
    func encode(to encoder: any Encoder) throws { try members.encode(to: encoder) }
}

/// `meshctl network rm`.
struct RemoveNetwork: JSONOperation, Equatable {
    static let path = "/v1/network/rm"

    var network: String

    func perform(on mesh: Mesh) async throws -> Outcome {
        Outcome(try await mesh.removeNetwork(network), saying: ["Removed network \(network)."])
    }
}

extension RemoveNetwork {
    init(from decoder: any Decoder) throws {
        network = try OperationFields(decoder, ["network"]).requiredText("network")
    }
}
