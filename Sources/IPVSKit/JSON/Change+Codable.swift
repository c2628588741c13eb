extension Change: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case change, service, destination, of
    }

    private enum Kind: String, Codable {
        case createService, updateService, deleteService, createDestination, updateDestination, deleteDestination

        var fields: Set<String> {
            switch self {
            case .createService, .updateService, .deleteService: ["change", "service"]
            case .createDestination, .updateDestination, .deleteDestination: ["change", "destination", "of"]
            }
        }
    }

    /// Reads `{"change": "createService", "service": {…}}`, `{"change": "deleteService", "service": "TCP 10.0.0.1:80"}`,
    /// `{"change": "createDestination", "destination": {…}, "of": "TCP 10.0.0.1:80"}` and their like.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let kind: Kind = try fields(.change)
        try fields.check(takesOnly: kind.fields, because: kind.rawValue)
        self =
            switch kind {
            case .createService: .createService(try fields(.service))
            case .updateService: .updateService(try fields(.service))
            case .deleteService: .deleteService(try fields(.service))
            case .createDestination: .createDestination(try fields(.destination), of: try fields(.of))
            case .updateDestination: .updateDestination(try fields(.destination), of: try fields(.of))
            case .deleteDestination: .deleteDestination(try fields(.destination), of: try fields(.of))
            }
    }

    /// Writes `change`, the name of the case, and its values.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func encode(_ kind: Kind, _ service: some Encodable) throws {
            try container.encode(kind, forKey: .change)
            try container.encode(service, forKey: .service)
        }
        func encode(_ kind: Kind, _ destination: some Encodable, of id: VirtualService.ID) throws {
            try container.encode(kind, forKey: .change)
            try container.encode(destination, forKey: .destination)
            try container.encode(id, forKey: .of)
        }
        switch self {
        case .createService(let service): try encode(.createService, service)
        case .updateService(let service): try encode(.updateService, service)
        case .deleteService(let id): try encode(.deleteService, id)
        case .createDestination(let destination, let id): try encode(.createDestination, destination, of: id)
        case .updateDestination(let destination, let id): try encode(.updateDestination, destination, of: id)
        case .deleteDestination(let destination, let id): try encode(.deleteDestination, destination, of: id)
        }
    }
}

extension TableEvent: Codable {
    private enum CodingKeys: CodingKey, CaseIterable {
        case event, service, destination, statistics, from, of
    }

    private enum Kind: String, Codable {
        case serviceAdded, serviceChanged, serviceRemoved, destinationAdded, destinationChanged, destinationRemoved
        case serviceCounted, destinationCounted, upToDate

        var fields: Set<String> {
            switch self {
            case .serviceAdded, .serviceRemoved: ["event", "service"]
            case .serviceChanged: ["event", "service", "from"]
            case .destinationAdded, .destinationRemoved: ["event", "destination", "of"]
            case .destinationChanged, .destinationCounted: ["event", "destination", "from", "of"]
            case .serviceCounted: ["event", "statistics", "from", "of"]
            case .upToDate: ["event"]
            }
        }
    }

    /// Reads `{"event": "serviceAdded", "service": {…}}`,
    /// `{"event": "destinationChanged", "destination": {…}, "from": {…}, "of": "TCP 10.0.0.1:80"}` and their like.
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, CodingKeys.self)
        let kind: Kind = try fields(.event)
        try fields.check(takesOnly: kind.fields, because: kind.rawValue)
        self =
            switch kind {
            case .serviceAdded: .serviceAdded(try fields(.service))
            case .serviceChanged: .serviceChanged(try fields(.service), from: try fields(.from))
            case .serviceRemoved: .serviceRemoved(try fields(.service))
            case .destinationAdded: .destinationAdded(try fields(.destination), of: try fields(.of))
            case .destinationChanged:
                .destinationChanged(try fields(.destination), from: try fields(.from), of: try fields(.of))
            case .destinationRemoved: .destinationRemoved(try fields(.destination), of: try fields(.of))
            case .serviceCounted:
                .serviceCounted(try fields(.statistics), from: try fields(.from), of: try fields(.of))
            case .destinationCounted:
                .destinationCounted(try fields(.destination), from: try fields(.from), of: try fields(.of))
            case .upToDate: .upToDate
            }
    }

    /// Writes `event`, the name of the case, and its values.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func encode(
            _ kind: Kind, _ key: CodingKeys, _ value: some Encodable, from old: (some Encodable)? = Optional<Int>.none,
            of id: VirtualService.ID? = nil
        ) throws {
            try container.encode(kind, forKey: .event)
            try container.encode(value, forKey: key)
            try container.encodeIfPresent(old, forKey: .from)
            try container.encodeIfPresent(id, forKey: .of)
        }
        switch self {
        case .serviceAdded(let service): try encode(.serviceAdded, .service, service)
        case .serviceChanged(let service, let old): try encode(.serviceChanged, .service, service, from: old)
        case .serviceRemoved(let service): try encode(.serviceRemoved, .service, service)
        case .destinationAdded(let new, let id): try encode(.destinationAdded, .destination, new, of: id)
        case .destinationChanged(let new, let old, let id):
            try encode(.destinationChanged, .destination, new, from: old, of: id)
        case .destinationRemoved(let new, let id): try encode(.destinationRemoved, .destination, new, of: id)
        case .serviceCounted(let new, let old, let id):
            try encode(.serviceCounted, .statistics, new, from: old, of: id)
        case .destinationCounted(let new, let old, let id):
            try encode(.destinationCounted, .destination, new, from: old, of: id)
        case .upToDate: try container.encode(Kind.upToDate, forKey: .event)
        }
    }
}
