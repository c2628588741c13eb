import IPVSKit
import MeshKit

/// The connections that are left of the former path of a port, as JSON.
struct RetiringFields: Codable, Sendable, CustomStringConvertible {
    let path: RetiringConnections

    init(_ path: RetiringConnections) { self.path = path }

    /// The line for people.
    var description: String { path.description }

    private enum CodingKeys: String, CodingKey {
        case place, task, target, connections, seconds, secondsLeft, draining, unhealthy
    }

    /// Encodes one flat object, with the fields of the published port.
    func encode(to encoder: any Encoder) throws {
        try BindingFields(path.binding).encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(path.place, forKey: .place)
        try container.encode(path.destination.address, forKey: .task)
        try container.encode(path.destination.port, forKey: .target)
        try container.encodeIfPresent(path.connections, forKey: .connections)
        try container.encode(path.seconds, forKey: .seconds)
        try container.encodeIfPresent(path.secondsLeft, forKey: .secondsLeft)
        try container.encode(path.isDraining, forKey: .draining)
        try container.encode(path.isUnhealthy, forKey: .unhealthy)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        path = RetiringConnections(
            place: try container.decode(PlaceID.self, forKey: .place),
            binding: try BindingFields(from: decoder).binding,
            destination: Destination.ID(
                try container.decode(IPAddress.self, forKey: .task),
                port: try container.decode(UInt16.self, forKey: .target)),
            connections: try container.decodeIfPresent(Int.self, forKey: .connections),
            seconds: try container.decode(UInt64.self, forKey: .seconds),
            secondsLeft: try container.decodeIfPresent(UInt64.self, forKey: .secondsLeft),
            isDraining: try container.decode(Bool.self, forKey: .draining),
            isUnhealthy: try container.decodeIfPresent(Bool.self, forKey: .unhealthy) ?? false)
    }
}
