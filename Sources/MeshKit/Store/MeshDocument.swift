/// The content of `mesh.json`: a spec, or a document of an earlier version.
enum MeshDocument: DocumentContent {
    case spec(MeshSpec)
    case legacy(LegacyDocument)

    static let newestSchema = MeshSpec.currentSchema
    static let remedy =
        "nothing was changed; put a good copy in its place, or move it away to start with an empty mesh"

    var generation: UInt64 {
        switch self {
        case .spec(let spec): spec.generation
        case .legacy(let document): document.generation
        }
    }

    private enum CodingKeys: String, CodingKey { case schema }

    init(from decoder: any Decoder) throws {
        let schema = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .schema)
        self =
            schema <= LegacyDocument.newestSchema
            ? .legacy(try LegacyDocument(from: decoder)) : .spec(try MeshSpec(from: decoder))
    }
}
