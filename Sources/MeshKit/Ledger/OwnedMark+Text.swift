import IPVSKit
import RuleKit

/// Reads and writes the text of an ``OwnedMark``: `1080/tcp 10.0.0.2:80 [fd00::2]:80`. A dash stands for an unknown
/// port.
///
/// Thousands of ports may lead to the same tasks, so the text of each set of destinations is read and written only
/// once.
struct DestinationTexts {
    private var read: [Substring: Set<Destination.ID>] = [:]
    private var written: [Set<Destination.ID>: String] = [:]

    /// Parses a text. Nil for any other text, also if a destination occurs twice.
    mutating func owned(_ text: Substring) -> OwnedMark? {
        let end = text.utf8.firstIndex(of: UInt8(ascii: " ")) ?? text.endIndex
        let port = text[..<end]
        var binding: PortBinding?
        if port != "-" {
            binding = PortBinding(text: port)
            guard binding != nil else { return nil }
        }
        let rest = text[end...].dropFirst()
        if let known = read[rest] { return OwnedMark(binding: binding, destinations: known) }
        var destinations: Set<Destination.ID> = []
        for word in rest.split(separator: " ", omittingEmptySubsequences: false) where end != text.endIndex {
            guard let destination = Destination.ID(String(word)), destinations.insert(destination).inserted else {
                return nil
            }
        }
        read[rest] = destinations
        return OwnedMark(binding: binding, destinations: destinations)
    }

    mutating func text(of owned: OwnedMark) -> String {
        let port = owned.binding?.description ?? "-"
        guard !owned.destinations.isEmpty else { return port }
        let rest: String
        if let known = written[owned.destinations] {
            rest = known
        } else {
            rest = owned.destinations.sorted().map(\.description).joined(separator: " ")
            written[owned.destinations] = rest
        }
        return port + " " + rest
    }
}

extension OwnedMark: LosslessStringConvertible {
    /// Parses ``description``. Nil for any other text, also if a destination occurs twice.
    public init?(_ description: String) {
        var texts = DestinationTexts()
        guard let owned = texts.owned(description[...]) else { return nil }
        self = owned
    }

    /// The port and its destinations in order: `1080/tcp 10.0.0.2:80 [fd00::2]:80`. A dash stands for an unknown port.
    public var description: String {
        var texts = DestinationTexts()
        return texts.text(of: self)
    }
}
