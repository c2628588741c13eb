import IPVSKit
import MeshKit

/// The connections that are left of the former path of a port, as JSON.
struct RetiringFields: Encodable {
    private let path: RetiringConnections

    init(_ path: RetiringConnections) { self.path = path }

    private enum CodingKeys: String, CodingKey { case place, task, target, connections, seconds, secondsLeft, draining }

    /// Encodes one flat object, with the fields of the published port.
    func encode(to encoder: any Encoder) throws {
        try BindingFields(path.binding).encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path.place.rawValue, forKey: .place)
        try container.encode(path.destination.address, forKey: .task)
        try container.encode(path.destination.port, forKey: .target)
        try container.encodeIfPresent(path.connections, forKey: .connections)
        try container.encode(path.seconds, forKey: .seconds)
        try container.encodeIfPresent(path.secondsLeft, forKey: .secondsLeft)
        try container.encode(path.isDraining, forKey: .draining)
    }
}
