import IPVSKit
import RuleKit

/// The addresses of the two ends of a veth pair that connects the node with a place of the mesh: at most one of each family
/// at either end, in the same order.
struct PairAddresses: Equatable {
    /// The addresses of the node's end.
    var node: [InterfacePrefix]
    /// The addresses of the other end.
    var place: [InterfacePrefix]

    /// Those of some families.
    func filtered(by families: Set<AddressFamily>) -> Self {
        Self(
            node: node.filter { families.contains($0.address.family) },
            place: place.filter { families.contains($0.address.family) })
    }

    /// Gives both ends their addresses, and each the other one as a permanent neighbour. Nobody else on the node may use
    /// their networks.
    func assign(to node: inout LinkEnd, and place: inout LinkEnd) {
        node.addresses = Set(self.node)
        place.addresses = Set(self.place)
        for (near, far) in zip(self.node, self.place) {
            node.neighbours[far.address] = place.hardwareAddress
            place.neighbours[near.address] = node.hardwareAddress
            node.claims.append(near.network)
        }
    }
}

extension LinkEnd {
    /// Makes the namespace answer on this interface to packets that come back to ::1. The kernel looks for the route to
    /// ::1 by the incoming interface, and has one for `lo` alone. A packet that arrives with a source or destination ::1
    /// is dropped before, so that nobody else can use this.
    mutating func answerIPv6Loopback() { routes.insert(Route(to: IPPrefix("::1"), table: .local)) }
}
