public import IPVSKit

/// A network namespace that has a role in the mesh.
public struct Place: Hashable, Sendable, Identifiable {
    /// Who makes and deletes the namespace of a place.
    public enum Existence: Hashable, Sendable {
        /// The mesh makes the namespace and deletes it whole. The name is the file name below `/run/netns`.
        case own(name: String)
        /// The namespace belongs to somebody else, for example the node or a task. The mesh enters it, and neither
        /// makes nor deletes it.
        case lent(NamespacePath)
    }

    /// Where a lent namespace is found.
    public enum NamespacePath: Hashable, Sendable {
        /// The namespace that the process is in.
        case process
        /// A file that refers to the namespace, such as `/proc/PID/ns/net`, and the namespace's inode. If it refers to
        /// a namespace of another inode, the namespace that was meant is gone.
        case file(String, inode: UInt64?)
    }

    /// The name of the place in ledger and messages.
    public var id: PlaceID
    /// Who makes and deletes the namespace.
    public var existence: Existence
    /// Whether the mesh can do without the place on a host that refuses it.
    public var isOptional: Bool
    /// The address families that the place uses.
    public var families: Set<AddressFamily>
    /// How late a client's packet meets the place. The node is met first and has rank 0.
    public var rank: Int

    /// A place.
    public init(
        id: PlaceID, existence: Existence, isOptional: Bool = false,
        families: Set<AddressFamily> = Set(AddressFamily.allCases), rank: Int
    ) {
        self.id = id
        self.existence = existence
        self.isOptional = isOptional
        self.families = families
        self.rank = rank
    }

    /// Whether the namespace belongs to somebody else.
    var isLent: Bool { if case .lent = existence { true } else { false } }

    /// The node's own namespace, which is the namespace of the process.
    public static let node = Self(id: .node, existence: .lent(.process), rank: 0)
}
