/// Which edits of the mesh a spec or a file has seen.
struct MeshVersion: Hashable, Sendable {
    /// The number of edits until now (``MeshSpec/meshGeneration``).
    var generation: UInt64
    /// The edits by the nodes that made them; empty in what an earlier version of meshctl wrote, and in files that somebody
    /// wrote by hand.
    var edits: EditVector

    /// How one version stands to another.
    enum Order {
        /// Both have seen the same edits.
        case same
        /// It has seen all edits of the other, and more.
        case newer
        /// The other has seen all of its edits, and more, or has the later generation.
        case older
        /// Each has seen edits that the other has not.
        case apart
    }

    /// How this version, of a file, stands to that of the present mesh.
    ///
    /// Where either has not counted its edits by node, the generations decide alone. They also keep a file out that
    /// counts all edits of the mesh and still has an earlier generation: the mesh was edited by an earlier version of
    /// meshctl, or its node has begun to count anew.
    func order(against present: Self) -> Order {
        let byGeneration: Order =
            generation == present.generation ? .same : generation > present.generation ? .newer : .older
        guard !edits.isEmpty, !present.edits.isEmpty else { return byGeneration }
        let lacksNothing = present.edits.excess(over: edits).isEmpty
        let addsNothing = edits.excess(over: present.edits).isEmpty
        switch (lacksNothing, addsNothing) {
        case (true, true): return byGeneration
        case (true, false): return byGeneration == .older ? .older : .newer
        case (false, true): return .older
        case (false, false): return .apart
        }
    }

    /// The version of a mesh that stands for both.
    func joined(with other: Self) -> Self {
        Self(generation: max(generation, other.generation), edits: edits.joined(with: other.edits))
    }

    /// Counts one more edit, made on a node.
    mutating func count(on node: String) {
        generation += 1
        edits.count(on: node)
    }
}

extension MeshSpec {
    /// Which edits of the mesh the spec has seen.
    var version: MeshVersion {
        get { MeshVersion(generation: meshGeneration, edits: edits) }
        set { (meshGeneration, edits) = (newValue.generation, newValue.edits) }
    }
}

extension MeshFile {
    /// Which edits of the mesh the file has seen; nil for a file that describes parts, which is an edit itself.
    var version: MeshVersion? { generation.map { MeshVersion(generation: $0, edits: edits) } }
}
