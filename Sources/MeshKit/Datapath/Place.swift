public import IPVSKit

/// A network namespace that has a role in the mesh.
public struct Place: Hashable, Sendable, Identifiable {
    /// Whose namespace it is.
    public enum Existence: Hashable, Sendable {
        /// The mesh makes it and deletes it whole. The name is that below `/run/netns`.
        case own(name: String)
        /// It is somebody else's, which the mesh enters and neither makes nor deletes: the node's own, or a task's.
        case lent(NamespacePath)
    }

    /// Where a lent namespace is found.
    public enum NamespacePath: Hashable, Sendable {
        /// The namespace that the process is in.
        case process
        /// A file that stands for the namespace.
        case file(String)
    }

    /// What spec, ledger and messages call it.
    public var id: PlaceID
    /// Whose it is.
    public var existence: Existence
    /// Whether the mesh does without it where this host refuses it.
    public var isOptional: Bool
    /// The address families that the kernel has in it.
    public var families: Set<AddressFamily>
    /// How late a packet of a client's meets it; the node is met first, with 0.
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

    /// The node's own namespace, which is that of the process.
    public static let node = Self(id: .node, existence: .lent(.process), rank: 0)
}
