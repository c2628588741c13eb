/// Everything that one node has put or changed in its kernel and must be able to take back, by place.
///
/// What is not in the ledger is somebody else's: nothing is known for ours by its looks.
public struct Ledger: Equatable, Sendable {
    /// The layout of the document that this version reads and writes.
    public static let currentSchema = 1

    /// The number of writes until now, which a compare-and-swap compares. The file counts it, not who edits.
    public var generation: UInt64 = 0
    /// What the rules in the kernel carry, so that a rule says which ledger it belongs to: 16 hexadecimal digits.
    public var id: String
    /// The name of this node, which tasks of the ``MeshSpec`` refer to.
    public var node: String
    /// The network namespace, and the boot, that the ledger speaks of. Nil where an older document did not say.
    public var home: NamespaceIdentity?
    /// What is held in each place. A place in which nothing is held has no entry.
    public var places: [PlaceID: Holdings] = [:]

    /// A ledger of a node that holds nothing.
    ///
    /// - Parameter id: a random one unless given.
    public init(node: String, id: String = Self.randomID(), home: NamespaceIdentity? = nil) {
        self.node = node
        self.id = id
        self.home = home
    }

    /// What is held in a place. Where nothing is, empty holdings are read; written ones that are empty are not kept.
    public subscript(place: PlaceID) -> Holdings {
        get { places[place] ?? Holdings() }
        set { places[place] = newValue.isEmpty ? nil : newValue }
    }

    /// 16 hexadecimal digits that no other ledger has.
    public static func randomID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
