import IPVSKit
import RuleKit

extension RetiringPath: Codable {
    private enum CodingKeys: String, CodingKey { case mark, path, targets, tasks, since, until }

    /// Reads an object whose `path` is the text of an ``OwnedMark``: the port and the destinations.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        mark = try container.decode(FirewallMark.self, forKey: .mark)
        let text = try container.decode(String.self, forKey: .path)
        guard let path = OwnedMark(text), let binding = path.binding else {
            throw DecodingError.dataCorruptedError(
                forKey: .path, in: container,
                debugDescription: "\(text.debugDescription) is not a port with its destinations, "
                    + "as \"1080/tcp 10.0.0.2:80 [fd00::2]:80\" is")
        }
        self.binding = binding
        destinations = path.destinations
        if let text = try container.decodeIfPresent(String.self, forKey: .targets) {
            guard let range = text[...].portRange else {
                throw DecodingError.dataCorruptedError(
                    forKey: .targets, in: container,
                    debugDescription: "\(text.debugDescription) is not a range of ports")
            }
            targets = range
        }
        tasks = try container.decodeIfPresent([SpecTask].self, forKey: .tasks) ?? []
        since = try container.decode(BootTime.self, forKey: .since)
        until = try container.decodeIfPresent(BootTime.self, forKey: .until)
    }

    /// Writes an object whose `path` is the text of an ``OwnedMark``.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(mark, forKey: .mark)
        try container.encode(OwnedMark(binding: binding, destinations: destinations).description, forKey: .path)
        try container.encodeIfPresent(targets.map(PortBinding.text(of:)), forKey: .targets)
        if !tasks.isEmpty { try container.encode(tasks, forKey: .tasks) }
        try container.encode(since, forKey: .since)
        try container.encodeIfPresent(until, forKey: .until)
    }
}
