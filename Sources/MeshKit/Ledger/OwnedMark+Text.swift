import IPVSKit
import RuleKit

extension OwnedMark: LosslessStringConvertible {
    /// Parses ``description``. Nil for any other text, also if a destination occurs twice.
    public init?(_ description: String) {
        var words = description.split(separator: " ", omittingEmptySubsequences: false)[...]
        guard let port = words.popFirst() else { return nil }
        if port == "-" {
            binding = nil
        } else {
            guard let parsed = PortBinding(text: port) else { return nil }
            binding = parsed
        }
        destinations = []
        for word in words {
            guard let destination = Destination.ID(String(word)), destinations.insert(destination).inserted else {
                return nil
            }
        }
    }

    /// The port and its destinations in order: `1080/tcp 10.0.0.2:80 [fd00::2]:80`. A dash stands for an unknown port.
    public var description: String {
        var text = binding?.description ?? "-"
        for destination in destinations.sorted() { text += " \(destination)" }
        return text
    }
}
