import IPVSKit
import MeshKit
import RuleKit

/// `meshctl node add`.
struct AddNode: JSONOperation, Equatable {
    static let path = "/v1/node/add"

    var node: String
    /// The address at which the other nodes reach it; nil for none.
    var address: IPAddress?
    /// The subnets of the gateway bridge; nil for those that it has, or free ones.
    var gatewaySubnets: [IPPrefix]?

    func perform(on mesh: Mesh) async throws -> Outcome {
        let added = try await mesh.addNode(node, address: address, gatewaySubnets: gatewaySubnets)
        let present = try added.change.spec.node(node)
        let place = present.address.map { "is at \($0)" } ?? "has no address"
        let subnets = present.gatewaySubnets.map(\.description).joined(separator: " and ")
        return Outcome(added, saying: ["Node \(node) \(place); its gateway bridge has \(subnets)."])
    }
}

extension AddNode {
    init(from decoder: any Decoder) throws {
        let fields = try OperationFields(decoder, ["node", "address", "gateway"])
        node = try fields.requiredText("node")
        address = try fields.value("address", AddressArgument.read)
        gatewaySubnets = try fields.values("gateway", SubnetArgument.read)
    }

    func encode(to encoder: any Encoder) throws {
        var fields = OperationFieldWriter(encoder)
        try fields.put(node, "node")
        try fields.put(address, "address")
        try fields.put(gatewaySubnets, "gateway")
    }
}

/// `meshctl node rm`.
struct RemoveNode: JSONOperation, Equatable {
    static let path = "/v1/node/rm"

    var node: String

    func perform(on mesh: Mesh) async throws -> Outcome {
        Outcome(try await mesh.removeNode(node), saying: ["Removed node \(node)."])
    }
}

extension RemoveNode {
    init(from decoder: any Decoder) throws { node = try OperationFields(decoder, ["node"]).requiredText("node") }
}
