public import IPVSKit
import RuleKit

extension MeshNode {
    /// The addresses of the node's gateway bridge: the first of each gateway subnet.
    public var gateways: [IPAddress] { gatewaySubnets.map(\.gateway) }
}

extension MeshNetwork {
    /// The addresses of the network's gateway: the first of each subnet.
    public var gateways: [IPAddress] { subnets.map(\.gateway) }
}
