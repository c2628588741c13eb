/// The balancer that serves the published ports of a service.
public enum Balancing: String, Hashable, Sendable, CaseIterable, Codable {
    /// The node's own namespace, for tasks that the node's routes reach.
    case host
    /// The sandbox on the ingress network, for tasks that are attached to it.
    case ingress
}
