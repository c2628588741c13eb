/// Who put a part of the spec there, if it was not the operator: a source of tasks, on one node.
///
/// Each node looks after what its own sources have found. What another node's sources have found is left alone.
public struct Origin: Hashable, Sendable {
    /// The name of the source, such as `docker`.
    public var source: String
    /// The name of the node that the source runs on.
    public var node: String

    /// An origin by its parts.
    public init(_ source: String, on node: String) {
        self.source = source
        self.node = node
    }
}

extension Origin: CustomStringConvertible {
    /// `docker@node1`.
    public var description: String { "\(source)@\(node)" }

    /// Reads `docker@node1`; nil for another text.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ MeshSpec.isNodeName(String($0)) }) else { return nil }
        self.init(String(parts[0]), on: String(parts[1]))
    }
}

extension Origin: Codable {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(text.debugDescription) is no source and node, as in docker@node1")
        }
        self = value
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
