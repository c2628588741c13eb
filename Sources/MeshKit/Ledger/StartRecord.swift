public import IPVSKit

/// What a node remembers of the tasks of a service whose tasks start slowly.
public struct StartRecord: Equatable, Sendable {
    /// The tasks that got new connections after the last pass. A task that is not among them is new, or is back.
    public var used: Set<IPAddress>
    /// The tasks among them that start slowly, with the moments at which they began to.
    public var since: [IPAddress: BootTime]

    /// A record by its parts.
    public init(used: Set<IPAddress> = [], since: [IPAddress: BootTime] = [:]) {
        self.used = used
        self.since = since
    }
}

extension StartRecord: Codable {
    private enum CodingKeys: String, CodingKey { case used, since }

    /// Reads an object of the addresses, and of the moments by address.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        used = try container.decode(Set<IPAddress>.self, forKey: .used)
        since = [:]
        for (text, time) in try container.decodeIfPresent([String: BootTime].self, forKey: .since) ?? [:] {
            guard let address: IPAddress = .init(text) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .since, in: container, debugDescription: "\(text.debugDescription) is no address")
            }
            since[address] = time
        }
    }

    /// Writes an object of the addresses, and of the moments by address.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(used.sorted(), forKey: .used)
        guard !since.isEmpty else { return }
        try container.encode(
            Dictionary(uniqueKeysWithValues: since.map { ($0.key.description, $0.value) }), forKey: .since)
    }
}
