/// How many edits each node has made of a mesh: a version vector.
///
/// A mesh that has seen all edits of another one has at least its number for each node. If each of two meshes has a
/// number that is greater than the other's, they were edited apart, and neither can take the place of the other without
/// the loss of an edit.
///
/// A node is counted by its name, also after it has left the mesh. Two nodes that share a name are one to the vector.
public struct EditVector: Hashable, Sendable {
    /// The numbers of edits, by the names of the nodes that have made any.
    public private(set) var counts: [String: UInt64]

    /// - Parameter counts: the numbers of edits by node; no number is the same as 0.
    public init(_ counts: [String: UInt64] = [:]) { self.counts = counts.filter { $0.value > 0 } }

    /// Whether no edit was counted by node, as in a mesh of an earlier version.
    var isEmpty: Bool { counts.isEmpty }

    /// Counts one more edit of a node.
    mutating func count(on node: String) { counts[node, default: 0] += 1 }

    /// The edits that either vector counts: of each node the greater number.
    func joined(with other: Self) -> Self { Self(counts.merging(other.counts) { max($0, $1) }) }

    /// The edits that this vector counts and another one does not.
    func excess(over other: Self) -> Self {
        var excess = counts
        for (node, count) in other.counts { excess[node] = excess[node].map { $0 > count ? $0 - count : 0 } }
        return Self(excess)
    }

    /// The edits in words: `1 edit on node1 and 2 edits on node2`.
    var words: String {
        MeshSpec.listing(
            counts.sorted { $0.key < $1.key }.map { node, count in "\(count) edit\(count == 1 ? "" : "s") on \(node)" })
    }
}

extension EditVector: Codable {
    /// Reads an object of numbers. One that no number of edits reaches is refused, since the next edit could not be
    /// counted.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let counts = try container.decode([String: UInt64].self)
        if let (node, count) = counts.first(where: { $0.value > MeshSpec.latestGeneration }) {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(count) is no number of edits on \(node.debugDescription)")
        }
        self.init(counts)
    }

    /// Writes an object of numbers.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(counts)
    }
}
