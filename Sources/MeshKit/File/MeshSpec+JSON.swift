import Yams

extension MeshSpec {
    /// The whole mesh as ``yaml`` has it, to be encoded as JSON. ``MeshFile/init(yaml:name:)`` reads that, too, since JSON
    /// is YAML.
    public func exported() throws -> some Encodable {
        guard let node = try Yams.compose(yaml: yaml) else { fatalError("an export has a generation at least") }
        return ExportedNode(node: node)
    }
}

/// A part of a mesh's file. Numbers and truth values stay what they are; whatever the file has in quotes is text.
private struct ExportedNode: Encodable {
    let node: Node

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        switch node {
        case .mapping(let mapping):
            var container = encoder.container(keyedBy: Key.self)
            for (key, value) in mapping {
                guard let name = key.scalar?.string, let key = Key(stringValue: name) else { continue }
                try container.encode(Self(node: value), forKey: key)
            }
        case .sequence(let sequence):
            var container = encoder.unkeyedContainer()
            for value in sequence { try container.encode(Self(node: value)) }
        case .scalar(let scalar):
            var container = encoder.singleValueContainer()
            let isPlain = scalar.style == .plain
            if isPlain, let number = UInt64(scalar.string) {
                try container.encode(number)
            } else if isPlain, let truth = Bool(scalar.string) {
                try container.encode(truth)
            } else {
                try container.encode(scalar.string)
            }
        case .alias: break
        }
    }
}
